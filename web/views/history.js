// Sessions of the past, and the answers of one.
import { get, to, withTitles } from "../api.js";
import { bar } from "../charts.js";
import { a, capital, duration, h, localTime, plural, when } from "../dom.js";
import { empty, heading, longList } from "../ui.js";
import { addressOf, titleOf } from "./practice.js";
import { answers } from "./round.js";

const TYPES = ["", "technical", "mock", "coding", "debugging"];

const listOf = (type, cursor = null) => to("/api/sessions", { type, limit: 20, cursor });

export const page = {
	async load({ query }) {
		const type = TYPES.includes(query.get("type")) ? query.get("type") : "";
		return { type, ...(await withTitles(listOf(type))) };
	},
	draw({ type, titles, ...first }) {
		const filter = h(
			"nav.choices",
			{ "aria-label": "Kind of session" },
			TYPES.map((one) => h("a.choice", { href: to("/history", { type: one }), "aria-current": one === type ? "true" : null }, capital(one || "all"))),
		);
		const none = empty(`No ${type} sessions yet`, type ? "Choose another kind, or start one." : "Every session you hold is listed here with its answers.", a("/practice", "Practise"));
		const list = longList(first, "sessions", (one) => row(one, titles), (cursor) => get(listOf(type, cursor)));
		return [heading("History", "Times are those of your own zone."), filter, first.sessions.length ? list : none];
	},
};

function row(session, titles) {
	const score = session.score === null ? "–" : String(Math.round(session.score));
	return h(
		"li.session",
		h("div", a(`/history/${session.id}`, titleOf(session, titles)), h("p.meta", `${capital(session.session_type)} · `, when(session.created_at, { exact: true }))),
		h("p.meta.facts", `${plural(session.questions_count, "answer")} · ${duration(session.duration)}`, session.completed_at ? null : h("span.tag", "running")),
		h("div.score", bar((session.score || 0) / 100), h("b", score, h("span.sr", " of 100"))),
	);
}

export const session = {
	load: ({ words: [id] }) => withTitles(`/api/sessions/${id}`),
	draw({ session: one, attempts, titles }) {
		const score = one.score === null ? "no score" : `score ${Math.round(one.score)} of 100`;
		return [
			heading(titleOf(one, titles), `${capital(one.session_type)} · ${localTime(one.created_at)} · ${duration(one.duration)} · ${score}`, one.completed_at ? null : h("a.button.primary", { href: addressOf(one) }, "Go on")),
			one.feedback ? h("p.feedback", one.feedback) : null,
			attempts.length ? answers(attempts, titles) : empty("No answers here", "Nothing was answered in this session, or it was held elsewhere."),
			h("p", a("/history", "All sessions")),
		];
	},
};
