// A session, question by question or challenge by challenge: write, send, see what it was worth, go on.
import { get, post, topicTitles } from "../api.js";
import { bar, curves, withTable } from "../charts.js";
import { program } from "../code.js";
import { a, capital, chips, clock, duration, h, kept, localTime, percent, plural, points } from "../dom.js";
import { Draft, dropDrafts, unreplied } from "../drafts.js";
import { button, confirm, empty, fact, heading, say } from "../ui.js";
import { beside, past, scores, terms } from "./answers.js";

const LONGEST = 8000;
const NOTE = "Kept in this browser as you write. Ctrl or ⌘ with Enter sends.";
const RETRY_MS = [2000, 5000, 15000, 30000];
const SILENCE = "I don't know";
const KEEP_EVERY_S = 5;

/** What differs between the two: addresses, the name of the open thing, the body of an answer. */
const QUESTIONS = {
	path: "/api/adaptive/sessions",
	open: (reply) => reply.question,
	next: (reply) => reply.next_question,
	body: (question, text, seconds) => ({ question_id: question.id, answer: text, response_time: seconds }),
	ask: (question) => h("p.asked", { id: "asked" }, question.text),
	label: "Your answer",
	one: "Question",
};
const CHALLENGES = {
	path: "/api/debugging/sessions",
	open: (reply) => reply.challenge,
	next: (reply) => reply.next_challenge,
	body: (challenge, text) => ({ challenge_id: challenge.id, explanation: text }),
	ask: (challenge) => h("div", h("p.asked", { id: "asked" }, challenge.title), h("p", "There is one bug in it. What is wrong, why, and how would you put it right?"), program(challenge.buggy_code, challenge.language, "The program")),
	label: "Your explanation",
	one: "Challenge",
};

const pageOf = (kind) => ({
	kind: "narrow",
	async load({ words: [id] }) {
		const [reply, titles] = await Promise.all([get(`${kind.path}/${id}`), topicTitles()]);
		return { ...reply, titles };
	},
	draw(data, place) {
		const stage = h("div.stage");
		const round = { kind, place, stage, session: data.session, titles: data.titles, attempts: data.attempts };
		const opened = kind.open(data);
		const waiting = unreplied(data.session.id); // it may be recorded already: its key brings the reply
		if (waiting) ask(round, waiting.question, waiting.number);
		else if (opened) ask(round, opened);
		else summary(round);
		return stage;
	},
});

export const questions = pageOf(QUESTIONS);
export const challenges = pageOf(CHALLENGES);

const titleOf = (round, topic) => round.titles.get(topic) || topic;

/** Put a step of the round on the stage; its heading gets the focus, unless `focus` does. */
function step(round, nodes, focus = null) {
	round.stop?.();
	round.stop = null;
	round.stage.replaceChildren(...nodes.flat().filter(Boolean));
	if (!round.stage.isConnected) return;
	scrollTo(0, 0);
	(focus || round.stage.querySelector("h1"))?.focus({ preventScroll: true });
}

function ask(round, question, number = round.session.questions_count + 1) {
	const { kind, session } = round;
	const draft = new Draft(session.id, question.id);
	const of = session.max_questions ? ` of ${session.max_questions}` : "";
	const box = h("textarea", { id: "answer", rows: 8, maxlength: LONGEST, "aria-describedby": "asked note", "data-focus": true, value: draft.text, spellcheck: "true" });
	const note = h("p.hint", { id: "note" }, NOTE);
	const state = h("div.sending", { role: "status" });
	const send = h("button.primary", { type: "submit" }, "Send");
	const silence = button("I don’t know", () => give(SILENCE), "quiet");
	const watch = stopwatch(draft);
	const work = { round, question, draft, box, send, silence, state, stopped: false };
	const give = (text) => {
		if (draft.sent) return deliver(work, 0);
		draft.text = text;
		draft.markSent({ body: kind.body(question, text, draft.seconds), question, number });
		deliver(work, 0);
	};
	const whole = h(
		"form.answering",
		{ novalidate: true, onsubmit: (event) => (event.preventDefault(), box.value.trim() || draft.sent ? give(box.value) : box.focus()) },
		h("label", { for: "answer" }, kind.label),
		box,
		note,
		state,
		h("div.actions", send, silence, h("span.grow"), button("End session", () => end(round), "quiet")),
	);
	box.addEventListener("input", () => {
		draft.text = box.value;
		draft.keep();
		note.textContent = box.value.length > LONGEST - 1000 ? `${LONGEST - box.value.length} characters left.` : NOTE;
	});
	box.addEventListener("keydown", (event) => {
		if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) whole.requestSubmit();
	});
	step(
		round,
		[
			h(
				"header.meta-line",
				h("h1", { tabindex: "-1" }, `${kind.one} ${number}${of}`),
				h("p.meta", titleOf(round, question.topic), h(`span.chip`, question.difficulty), question.language ? h("span.chip", question.language) : null),
				watch.node,
			),
			h("div.progress-line", { "aria-hidden": "true" }, session.max_questions ? bar((number - 1) / session.max_questions, { kind: "thin" }) : null),
			kind.ask(question),
			whole,
		],
		box,
	);
	const again = () => draft.sent && deliver(work, 0);
	addEventListener("online", again);
	round.stop = () => {
		work.stopped = true;
		clearTimeout(work.timer);
		watch.stop();
		removeEventListener("online", again);
	};
	round.place.onLeave(() => round.stop?.());
	if (draft.sent) deliver(work, 0);
}

/** Seconds on this question, across reloads; it runs on when it is hidden. */
function stopwatch(draft) {
	const shown = h("span.time", { role: "timer", "aria-label": "Time on this question" });
	const hide = h("button.icon", { type: "button" });
	const draw = () => {
		const hidden = kept.get("timer") === "hidden";
		shown.hidden = hidden;
		shown.textContent = clock(draft.seconds);
		hide.textContent = hidden ? "Show time" : "Hide";
		hide.setAttribute("aria-label", hidden ? "Show the time" : "Hide the time");
	};
	hide.addEventListener("click", () => {
		kept.set("timer", kept.get("timer") === "hidden" ? null : "hidden");
		draw();
	});
	const ticking = setInterval(() => {
		if (document.hidden || draft.sent) return;
		draft.seconds += 1;
		if (draft.seconds % KEEP_EVERY_S === 0) draft.keep();
		draw();
	}, 1000);
	draw();
	return { node: h("div.timer", shown, hide), stop: () => clearInterval(ticking) };
}

/** Send what the draft holds, under its one key, until the service says what became of it. */
async function deliver(work, tries) {
	const { round, question, draft, box, send, silence, state } = work;
	if (work.busy || work.stopped) return;
	work.busy = true;
	clearTimeout(work.timer);
	box.value = draft.text;
	box.readOnly = true;
	send.disabled = silence.disabled = true;
	state.replaceChildren(h("p.muted", "Reading your answer …"));
	try {
		const reply = await post(`${round.kind.path}/${round.session.id}/answers`, draft.sent.body, draft.key);
		draft.drop();
		if (work.stopped) return;
		await replied(round, question, draft, reply);
	} catch (error) {
		if (work.stopped) return;
		if (error.mayPass) later(work, error, tries);
		else refused(work, error);
	} finally {
		work.busy = false;
	}
}

function later(work, error, tries) {
	const wait = Math.max(RETRY_MS[Math.min(tries, RETRY_MS.length - 1)], (error.retryAfter || 0) * 1000);
	const now = button("Send now", () => deliver(work, tries + 1));
	work.state.replaceChildren(
		h("div.kept", h("p", h("strong", navigator.onLine ? "Not delivered yet. " : "You are offline. "), "Your answer is kept here and goes out by itself, once. ", error.status ? error.message : ""), now),
	);
	work.timer = setTimeout(() => deliver(work, tries + 1), wait);
}

function refused(work, error) {
	const { round, draft, box, send, silence, state } = work;
	const elsewhere = error.status === 409;
	if (elsewhere) draft.drop();
	else draft.reopen();
	box.readOnly = elsewhere;
	send.disabled = silence.disabled = elsewhere;
	state.replaceChildren(
		h("div.wrong-note", { role: "alert" }, h("p", elsewhere ? "This question was answered already, perhaps in another window." : error.errors?.[0]?.detail || error.message), elsewhere ? button("Go on", () => round.place.again()) : null),
	);
}

async function replied(round, question, draft, reply) {
	const next = round.kind.next(reply);
	const path = `${round.kind.path}/${round.session.id}`;
	// A debugging reply carries no attempt and no session: they are read.
	const detail = reply.attempt ? null : await get(path).catch(() => null);
	round.session = reply.session || detail?.session || { ...round.session, questions_count: round.session.questions_count + 1 };
	const logged = detail?.attempts.at(-1);
	const attempt = reply.attempt || logged;
	if (detail) round.attempts = detail.attempts;
	const change = reply.mastery || (logged && { before: logged.mastery_before, after: logged.mastery_after, velocity: logged.mastery_velocity, difficulty_before: logged.difficulty_before, difficulty_after: logged.difficulty_after });
	const onward = next
		? h("button.primary", { type: "button", "data-next": true, onclick: () => ask(round, next) }, `Next ${round.kind.one.toLowerCase()}`)
		: h("button.primary", { type: "button", "data-next": true, onclick: () => finished(round) }, "See the summary");
	step(round, [
		h("header.meta-line", h("h1", { tabindex: "-1" }, verdict(attempt ? attempt.combined_score : reply.result.score)), h("p.meta", titleOf(round, question.topic), h("span.chip", question.difficulty))),
		attempt ? scores(attempt) : null,
		h("p.feedback", reply.feedback || reply.result?.feedback),
		change ? stepOf(change, titleOf(round, question.topic)) : null,
		attempt ? terms(attempt) : null,
		beside("h2", draft.text, attempt ? attempt.expected_answer : reply.result.expected_answer),
		reply.result ? h("section", h("h2", "The correction"), program(reply.result.correct_code, question.language, "The correction", question.buggy_code)) : null,
		reply.action ? h("p.hint", actionWords(reply.action, next, round)) : null,
		h("div.actions.onward", onward, next ? button("End session", () => end(round), "quiet") : null),
	]);
}

const verdict = (score) => (score >= 0.9 ? "Excellent" : score > 0.7 ? "Good" : score >= 0.4 ? "On the way" : "Not yet");

function stepOf(change, title) {
	const moved = change.difficulty_after !== change.difficulty_before ? ` The next questions on ${title} are ${change.difficulty_after}.` : "";
	return h(
		"section.change",
		h("p", h("strong", `${percent(change.before)} → ${percent(change.after)}`), ` mastery of ${title} `, h("span.tag", `${points(change.velocity)} points`), moved),
		change.explanation ? h("details", h("summary", "The arithmetic"), h("p.prose", change.explanation)) : null,
	);
}

function actionWords(action, next, round) {
	return {
		FOLLOW_UP: "Next: the same topic, the same difficulty.",
		SIMPLIFY: "Next: one step easier.",
		DEEPEN: "Next: one step harder.",
		MOVE_TOPIC: next && `Next: ${titleOf(round, next.topic)}.`,
		FINALIZE: "That was the last question.",
	}[action];
}

function end(round) {
	confirm("End this session?", "What you have answered counts. The open question is not scored.", { label: "End the session" }, async () => {
		const done = await post(`${round.kind.path}/${round.session.id}/finish`);
		round.session = done.session;
		await finished(round);
	});
}

async function finished(round) {
	dropDrafts(round.session.id);
	try {
		Object.assign(round, await get(`${round.kind.path}/${round.session.id}`));
	} catch (error) {
		say(error.message, "bad");
		return;
	}
	summary(round);
}

/** The end of a session: its figures, its curve, its answers. */
function summary(round) {
	const { session, attempts } = round;
	const sum = session.summary;
	const again = a("/practice", "Practise more");
	again.className = "button primary";
	again.dataset.next = "true";
	const actions = h("div.actions", again, a("/progress", "To your progress"));
	if (!attempts.length) return step(round, [heading("Session ended"), empty("No answers", "This session ended before anything was answered."), actions]);
	const label = `${localTime(session.created_at)} · ${duration(session.duration)}`;
	step(round, [heading("Session summary", label), session.feedback ? h("p.feedback", session.feedback) : null, ...sessionFigures(round, sum), curve(attempts), h("section", h("h2", "Answers"), h("ul.plain", attempts.map((one) => h("li", past(one, { topic: titleOf(round, one.topic) }))))), actions]);
}

function sessionFigures(round, sum) {
	if (!sum) return [];
	return [
		h("section.figures.wide", { "aria-label": "Figures" }, h("div.big", h("p.label", "Session score"), h("p.number", sum.score === null ? "–" : Math.round(sum.score)), bar((sum.score || 0) / 100)), h("dl", fact("Answers", sum.questions), fact("Correct", sum.correct), fact("Time", duration(sum.duration)))),
		h("section", h("h2", "What it changed"), h("ul.plain", sum.topics.map((topic) => h("li.line", h("span", titleOf(round, topic.topic)), h("span.muted", `${percent(topic.mastery_before)} → ${percent(topic.mastery_after)} · ${plural(topic.questions, "answer")}`))))),
		sum.missed_concepts.length ? h("section", h("h2", "Look at these again"), chips(sum.missed_concepts, "missed")) : null,
	];
}

/** The scores of a session's answers, one after another. */
export function curve(attempts) {
	const chart = curves(
		[
			{ name: "Score", kind: "main", values: attempts.map((one) => one.combined_score) },
			{ name: "Mastery of its topic", kind: "second", values: attempts.map((one) => one.mastery_after) },
		],
		{ label: `Scores of ${plural(attempts.length, "answer")}`, height: 200, start: "first answer", end: attempts.length > 1 ? "last" : "" },
	);
	return h(
		"section",
		h("h2", "The session’s curve"),
		withTable(chart, {
			caption: "Scores of this session",
			columns: ["Answer", "Score", "Meaning", "Key terms", "Mastery"],
			rows: () => attempts.map((one, index) => [`${index + 1}. ${capital(one.topic)}`, percent(one.combined_score), percent(one.semantic_score), percent(one.keyword_score), percent(one.mastery_after)]),
		}),
	);
}
