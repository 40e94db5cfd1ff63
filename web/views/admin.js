// For administrators: learners, statistics, the audit log, questions.
import { call, get, newKey, post, Problem, to, withTitles } from "../api.js";
import { bar, curves, shares, table, withTable } from "../charts.js";
import { a, capital, h, percent, plural, velocityWords, when } from "../dom.js";
import { button, confirm, empty, field, form, heading, longList, say, select } from "../ui.js";

const TABS = [["/admin", "Learners"], ["/admin/statistics", "Statistics"], ["/admin/forecasts", "Forecasts"], ["/admin/audit", "Audit log"], ["/admin/questions", "Questions"]];

/** So many standard deviations to each side hold 80%. */
const Z80 = 1.28;
/** Questions shown for each of the two reasons to look at one. */
const LOOKED_AT = 5;

const tabs = (here) => h("nav.choices", { "aria-label": "Administration" }, TABS.map(([href, name]) => h("a.choice", { href, "aria-current": href === here ? "page" : null }, name)));

const top = (here, sub = null) => [heading(TABS.find(([href]) => href === here)[1], sub), tabs(here)];

const usersFrom = (q, cursor = null) => get(to("/api/admin/users", { q, limit: 20, cursor }));

export const learners = {
	load: ({ query }) => usersFrom(query.get("q")),
	draw(first, place) {
		const q = place.query.get("q") || "";
		const input = h("input", { type: "search", name: "q", value: q, autocomplete: "off" });
		const search = form([field("Part of a username or email", input, { hint: "Fewer than three characters find what begins with them." })], () => place.go(to("/admin", { q: input.value.trim() })), { label: "Search" });
		search.classList.add("joined");
		search.setAttribute("role", "search");
		return [top("/admin"), search, first.users.length ? longList(first, "users", account, (cursor) => usersFrom(q, cursor)) : empty("Nobody found", `No username or email fits “${q}”.`)];
	},
};

const account = (user) =>
	h("li.line", a(`/admin/users/${user.id}`, user.username), h("span.muted", user.email), h("span.muted", user.role === "admin" ? h("span.tag", "admin") : null, " since ", when(user.created_at, { exact: true })));

export const learner = {
	load: ({ words: [id] }) => withTitles(`/api/admin/users/${id}/progress`),
	draw(data, place) {
		const { user, topics, titles, overall } = data;
		const names = Object.keys(topics);
		const rows = names.map((name) => {
			const one = topics[name];
			return [titles.of(name), percent(one.mastery), one.level, one.questions_attempted, percent(one.questions_attempted ? one.correct_count / one.questions_attempted : 0), one.current_difficulty, velocityWords(one.mastery_velocity), one.weak_concepts.join(", ") || "–"];
		});
		return [
			heading(user.username, `${user.email} · ${user.role} · ${plural(overall.total_questions, "answer")}, average mastery ${percent(overall.avg_mastery)}`, roleButton(user, place)),
			tabs(""),
			h("h2", "Progress"),
			names.length ? table(["Topic", "Mastery", "Level", "Answers", "Correct", "Difficulty", "Lately", "Weak concepts"], rows, `Progress of ${user.username}`) : empty("No mastery", "This learner has not practised yet, or was reset."),
			names.length ? resetForm(data, place) : null,
			h("p", a("/admin", "All learners")),
		];
	},
};

function roleButton(user, place) {
	const role = user.role === "admin" ? "learner" : "admin";
	return button(role === "admin" ? "Make an administrator" : "Take the role away", () =>
		confirm(
			role === "admin" ? `Make ${user.username} an administrator?` : `Take the role from ${user.username}?`,
			role === "admin" ? "They will see all learners, and may reset and import as you do." : "They keep their account and their progress.",
			{ label: "Yes" },
			async () => {
				await post(`/api/admin/users/${user.id}/role`, { role });
				say("The role was changed.", "good");
				place.again();
			},
		),
	);
}

/** Reason, preview, then the deed: what is previewed is what is done, and a change of either asks for another look. */
function resetForm({ user, topics, titles }, place) {
	const names = Object.keys(topics);
	const which = select("topic", [...names.map((name) => [name, titles.of(name)]), ["all", "All topics"]]);
	const reason = h("textarea", { name: "reason", rows: 2, maxlength: 500, required: true });
	const seen = h("div", { role: "status" });
	const path = `/api/admin/users/${user.id}/reset_mastery`;
	const body = () => ({ topic: which.value, reason: reason.value });
	const stale = () => seen.replaceChildren();
	which.addEventListener("change", stale);
	reason.addEventListener("input", stale);
	const preview = async () => {
		const asked = body();
		const would = await post(path, { ...asked, dry_run: true });
		const lines = would.topics.map((name) => h("li", `${titles.of(name)}: mastery ${percent(topics[name]?.mastery ?? 0)} from ${plural(topics[name]?.questions_attempted ?? 0, "answer")}`));
		const go = button("Reset …", () => sure(asked, would), "danger");
		seen.replaceChildren(h("div.preview", h("p", h("strong", `This would delete ${plural(would.deleted, "record")} of ${user.username}:`)), h("ul", lines), would.deleted ? h("div.actions", go) : null));
		go.focus();
	};
	const sure = (asked, would) =>
		confirm(
			`Reset ${user.username}?`,
			`${plural(would.deleted, "record")} will be deleted. It cannot be undone; ${user.username} reads your reason.`,
			{ label: "Reset now", word: asked.topic === "all" ? "all" : null },
			async () => {
				const done = await post(path, { ...asked, dry_run: false });
				say(`${plural(done.deleted, "record")} deleted; audit entry ${done.audit_id}.`, "good");
				place.again();
			},
		);
	return h("section.card", h("h2", "Reset mastery"), form([field("What to reset", which), field("Reason", reason, { hint: "3 to 500 characters; the learner reads it." })], preview, { label: "Preview", kind: "plain" }), seen);
}

const cards = (topics, card) => (topics.length ? h("div.cards.two", topics.map(card)) : empty("No figures yet", "They appear with the first answers."));

export const statistics = {
	load: () => withTitles("/api/admin/stats"),
	draw({ topics, learners: count, titles }) {
		return [top("/admin/statistics", plural(count, "learner")), cards(topics, (topic) => topicFigures(topic, titles))];
	},
};

function topicFigures(topic, titles) {
	const title = titles.of(topic.topic);
	const levels = Object.entries(topic.levels);
	const missed = topic.most_missed_concepts.map((one) => ({ ...one, share: one.missed / (one.missed + one.mentioned || 1) }));
	return h(
		"article.card",
		h("h2", title),
		h("p.level", h("strong", topic.mean_mastery === null ? "–" : percent(topic.mean_mastery)), ` mean mastery · ${plural(topic.learners, "learner")}`),
		bar(topic.mean_mastery || 0),
		withTable(shares(levels), { caption: `Learners by level in ${title}`, columns: ["Level", "Learners"], rows: () => levels }),
		missed.length
			? withTable(
					h("ul.ranked", missed.map((one) => h("li", h("span", one.concept), bar(one.share, "thin"), h("span.muted", percent(one.share))))),
					{ caption: `Most missed concepts in ${title}`, columns: ["Concept", "Missed", "Mentioned"], rows: () => missed.map((one) => [one.concept, one.missed, one.mentioned]) },
				)
			: null,
	);
}

export const forecasts = {
	load: () => withTitles("/api/admin/calibration"),
	draw: ({ topics, titles }) => [
		top("/admin/forecasts", "How often what was foretold of learners happened. On the dashed line, forecasts are true."),
		cards(topics, (topic) => calibration(topic, titles.of(topic.topic))),
	],
};

function calibration({ reliability, questions }, title) {
	const series = [
		{ name: "Happened", kind: "main", values: [null, ...reliability.map((one) => one.happened), null] },
		{ name: "As foretold", kind: "second", values: [0, ...reliability.map(() => null), 1] },
	];
	const chart = curves(series, { label: `How often what was foretold in ${title} happened`, at: [0, ...reliability.map((one) => one.foretold), 1], start: "0 foretold", end: "100" });
	return h(
		"article.card",
		h("h2", title),
		withTable(chart, { caption: `Foretold and happened in ${title}`, columns: ["Foretold", "Happened", "Outcomes"], rows: () => reliability.map((one) => [percent(one.foretold), percent(one.happened), one.count.toLocaleString()]) }),
		questions.length ? [h("h3", "Questions to look at"), h("p.hint", "Chance: of who has 50% at an average question. Tells apart: 1 is as expected, 0 not at all."), table(["Question", "Chance", "Tells apart"], questionsToLookAt(questions), `Questions to look at in ${title}`)] : null,
	);
}

/** Those that tell learners apart least, and those that are much harder or easier than their concepts. */
function questionsToLookAt(questions) {
	const by = (key) => [...questions].sort((one, other) => key(one) - key(other)).slice(0, LOOKED_AT);
	const chance = (difficulty) => percent(1 / (1 + Math.exp(difficulty)));
	const found = new Set([...by((one) => one.discrimination), ...by((one) => -Math.abs(one.difficulty))]);
	return [...found].map(({ id, discrimination, difficulty, deviation }) => [id, `${chance(difficulty)} (${chance(difficulty + Z80 * deviation)}–${chance(difficulty - Z80 * deviation)})`, discrimination.toFixed(2)]);
}

const auditFrom = (cursor) => get(to("/api/admin/audit", { limit: 20, cursor }));

export const audit = {
	load: () => auditFrom(),
	draw(first) {
		return [top("/admin/audit", "What was done that cannot be undone, newest first."), first.events.length ? longList(first, "events", event, auditFrom) : empty("Nothing yet", "Resets, roles, imports and deletions are listed here.")];
	},
};

function event(one) {
	const on = [one.user && `of ${one.user}`, one.topic && `(${one.topic})`].filter(Boolean).join(" ");
	return h(
		"li.entry",
		h("p", h("strong", capital(one.action.replaceAll("_", " "))), on ? ` ${on}` : "", h("span.muted", ` by ${one.actor || "the shell"}, `, when(one.at, { exact: true }))),
		one.reason ? h("p.prose", `“${one.reason}”`) : null,
		Object.keys(one.details).length ? h("details", h("summary", "Details", h("span.sr", ` of entry ${one.id}`)), h("pre.code", { tabindex: "0", role: "region", "aria-label": `Details of entry ${one.id}` }, JSON.stringify(one.details, null, 2))) : null,
	);
}

/** By the end of a file's name; of others the content tells. */
const TYPES = { csv: "text/csv", xml: "application/xml", gift: "text/x-gift" };

export const questions = {
	load: () => get("/api/topics"),
	draw({ topics }, place) {
		const text = h("textarea.file", { name: "file", rows: 14, spellcheck: "false", required: true });
		const chosen = h("input", { type: "file", accept: ".yaml,.yml,.json,.csv,.xml,.gift" });
		chosen.addEventListener("change", async () => {
			const [file] = chosen.files;
			if (!file) return;
			try {
				text.value = new TextDecoder("utf-8", { fatal: true }).decode(await file.arrayBuffer());
			} catch {
				say(`${file.name} is not UTF-8: save it as that first.`, "bad");
			}
		});
		const result = h("div", { role: "status" });
		const send = async () => {
			result.replaceChildren();
			const file = chosen.files[0]?.name ?? "";
			const type = TYPES[file.split(".").pop().toLowerCase()] ?? (text.value.trimStart().startsWith("{") ? "application/json" : "application/yaml");
			try {
				const done = await call("POST", to("/api/admin/questions/import", { file }), { body: text.value, type, key: newKey() });
				const kept = done.kept.length ? h("p.muted", `As administrators edited them, and not as the file has them: ${done.kept.join(", ")}.`) : "";
				result.replaceChildren(h("p.good-note", `${done.title}: ${plural(done.questions, "question")}, ${plural(done.concepts, "concept")}, ${done.retired} retired. The bank is at revision ${done.revision}.`), kept, done.warnings.length ? problems({ message: "Taken over all the same:", problems: done.warnings }, text) : "");
				say("The questions were taken over.", "good");
			} catch (error) {
				if (!(error instanceof Problem && error.problems)) throw error;
				result.replaceChildren(problems(error, text));
			}
		};
		return [
			top("/admin/questions"),
			h("p.muted", `In the bank: `, topics.map((topic, index) => `${index ? ", " : ""}${topic.title} (${topic.questions})`)),
			h("section.card", h("h2", "Import a topic"), form([field("A file", chosen), field("Its content", text, { hint: "One topic, YAML, JSON or CSV, or an export of Moodle's (XML, GIFT). All or nothing: with any problem nothing is changed." })], send, { label: "Import" }), result),
		];
	},
};

function problems(error, text) {
	const lines = text.value.split("\n");
	const to_ = (line) => {
		const start = lines.slice(0, line - 1).join("\n").length + (line > 1 ? 1 : 0);
		text.focus();
		text.setSelectionRange(start, start + (lines[line - 1] || "").length);
		text.scrollTop = Math.max(0, line - 4) * Number.parseFloat(getComputedStyle(text).lineHeight);
	};
	return h("div.wrong-note", { role: "alert" }, h("p", error.message), h("ol.problems", error.problems.map((one) => h("li", one.line && button(`Line ${one.line}`, () => to_(one.line), "quiet"), h("div", h("p", one.message), h("code", (lines[one.line - 1] || "").trim()))))));
}
