// A session, question by question or challenge by challenge: write, send, see what it was worth, go on.
import { get, post, withTitles } from "../api.js";
import { bar } from "../charts.js";
import { program } from "../code.js";
import { a, capital, chips, clock, duration, h, kept, localTime, percent, plural, points } from "../dom.js";
import { Draft, dropDrafts, unreplied } from "../drafts.js";
import { button, confirm, empty, fact, figures, h1, heading, say, section } from "../ui.js";
import { beside, past, scores, terms, twoCurves } from "./answers.js";

const LONGEST = 8000;
const NOTE = "Kept in this browser as you write. Ctrl or ⌘ with Enter sends.";
const RETRY_MS = [2000, 5000, 15000, 30000];
const SILENCE = "I don't know";
const KEEP_EVERY_S = 5;
const CURVE = [["Score", "combined_score"], ["Mastery of its topic", "mastery_after"], ["Meaning", "semantic_score"], ["Key terms", "keyword_score"]];

/** What differs between the two: addresses, the name of the open thing, how an answer is sent. */
const QUESTIONS = {
	path: "/api/adaptive/sessions",
	name: "question",
	body: (text, seconds) => ({ answer: text, response_time: seconds }),
	ask: (question) => h("p.asked", { id: "asked" }, question.text),
	label: "Your answer",
};
const CHALLENGES = {
	path: "/api/debugging/sessions",
	name: "challenge",
	body: (text) => ({ explanation: text }),
	ask: (challenge) => h("div", h("p.asked", { id: "asked" }, challenge.title), h("p", "There is one bug in it. What is wrong, why, and how would you put it right?"), program(challenge.buggy_code, challenge.language, "The program")),
	label: "Your explanation",
};

const pageOf = (kind) => ({
	kind: "narrow",
	load: ({ words: [id] }) => withTitles(`${kind.path}/${id}`),
	draw(data, place) {
		const stage = h("div.stage");
		const round = { kind, place, stage, session: data.session, titles: data.titles, attempts: data.attempts };
		const opened = data[kind.name];
		const waiting = unreplied(data.session.id); // it may be recorded already: its key brings the reply
		if (waiting) ask(round, waiting.question, waiting.number);
		else if (opened) ask(round, opened);
		else summary(round);
		return stage;
	},
});

export const questions = pageOf(QUESTIONS);
export const challenges = pageOf(CHALLENGES);

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
		draft.markSent({ body: { [`${kind.name}_id`]: question.id, ...kind.body(text, draft.seconds) }, question, number });
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
			top(round, question, `${capital(kind.name)} ${number}${of}`, watch.node),
			h("div.progress-line", { "aria-hidden": "true" }, session.max_questions ? bar((number - 1) / session.max_questions, "thin") : null),
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

const top = (round, { topic, difficulty, language }, title, beside = null) =>
	h("header.meta-line", h1(title), h("p.meta", round.titles.of(topic), [difficulty, language].map((word) => word && h("span.chip", word))), beside);

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
	const next = reply[`next_${round.kind.name}`];
	const path = `${round.kind.path}/${round.session.id}`;
	// A debugging reply carries no attempt and no session: they are read.
	const detail = reply.attempt ? null : await get(path).catch(() => null);
	round.session = reply.session || detail?.session || { ...round.session, questions_count: round.session.questions_count + 1 };
	const logged = detail?.attempts.at(-1);
	const attempt = reply.attempt || logged;
	if (detail) round.attempts = detail.attempts;
	const change = reply.mastery || (logged && { before: logged.mastery_before, after: logged.mastery_after, velocity: logged.mastery_velocity, difficulty_before: logged.difficulty_before, difficulty_after: logged.difficulty_after });
	const [label, go] = next ? [`Next ${round.kind.name}`, () => ask(round, next)] : ["See the summary", () => finished(round)];
	step(round, [
		top(round, question, verdict(attempt ? attempt.combined_score : reply.result.score)),
		attempt ? scores(attempt) : null,
		h("p.feedback", reply.feedback || reply.result?.feedback),
		change ? stepOf(change, round.titles.of(question.topic)) : null,
		attempt ? terms(attempt) : null,
		beside("h2", draft.text, attempt ? attempt.expected_answer : reply.result.expected_answer),
		reply.result ? section("The correction", program(reply.result.correct_code, question.language, "The correction", question.buggy_code)) : null,
		reply.action ? h("p.hint", actionWords(reply.action, next, round)) : null,
		h("div.actions.onward", button(label, go, "primary", { "data-next": true }), next ? button("End session", () => end(round), "quiet") : null),
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
		MOVE_TOPIC: next && `Next: ${round.titles.of(next.topic)}.`,
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

function summary(round) {
	const { session, attempts } = round;
	const actions = h("div.actions", h("a.button.primary", { href: "/practice", "data-next": true }, "Practise more"), a("/progress", "To your progress"));
	if (!attempts.length) return step(round, [heading("Session ended"), empty("No answers", "This session ended before anything was answered."), actions]);
	const label = `${localTime(session.created_at)} · ${duration(session.duration)}`;
	step(round, [heading("Session summary", label), session.feedback ? h("p.feedback", session.feedback) : null, ...sessionFigures(session.summary, round.titles), ...answers(attempts, round.titles), actions]);
}

function sessionFigures(sum, titles) {
	if (!sum) return [];
	return [
		figures("wide", "Session score", sum.score === null ? "–" : Math.round(sum.score), (sum.score || 0) / 100, false, [fact("Answers", sum.questions), fact("Correct", sum.correct), fact("Time", duration(sum.duration))]),
		section("What it changed", h("ul.plain", sum.topics.map((topic) => h("li.line", h("span", titles.of(topic.topic)), h("span.muted", `${percent(topic.mastery_before)} → ${percent(topic.mastery_after)} · ${plural(topic.questions, "answer")}`))))),
		sum.missed_concepts.length ? section("Look at these again", chips(sum.missed_concepts, "missed")) : null,
	];
}

export const answers = (attempts, titles) => [
	twoCurves("The session’s curve", attempts, CURVE, { first: ["Answer", (one, index) => `${index + 1}. ${titles.of(one.topic)}`], start: "first answer", end: attempts.length > 1 ? "last" : "" }),
	section("Answers", h("ul.plain", attempts.map((one) => h("li", past(one, { topic: titles.of(one.topic) }))))),
];
