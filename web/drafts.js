// What a learner is writing: kept in this browser by question, with the one Idempotency-Key under which it is sent.
// An answer that was sent without a reply stays as it was sent until the service has said what became of it.
import { kept } from "./dom.js";
import { newKey, user } from "./api.js";

const beginning = (session) => `draft.${user().id}.${session}.`;

function read(name) {
	try {
		return JSON.parse(kept.get(name));
	} catch {
		return null; // what cannot be read is no draft
	}
}

/** The draft of a question: {text, seconds, key}; once it was sent also {sent: {body, question, number}}. */
export class Draft {
	constructor(session, question) {
		this.name = beginning(session) + question;
		Object.assign(this, { text: "", seconds: 0, sent: null, key: newKey() }, read(this.name));
	}

	keep() {
		const { text, seconds, key, sent } = this;
		kept.set(this.name, JSON.stringify({ text, seconds, key, sent }));
	}

	/** From here on it is repeated as it is and under this key only. */
	markSent(sent) {
		this.sent = sent;
		this.keep();
	}

	/** The service refused it for good: it can be changed, and is another request then. */
	reopen() {
		Object.assign(this, { sent: null, key: newKey() });
		this.keep();
	}

	drop() {
		kept.set(this.name, null);
	}
}

/** What was sent in a session and never replied to: {body, question, number}, or nothing. */
export function unreplied(session) {
	const names = kept.names().filter((name) => name.startsWith(beginning(session)));
	return names.map((name) => read(name)?.sent).find(Boolean);
}

export function dropDrafts(session) {
	for (const name of kept.names()) if (name.startsWith(beginning(session))) kept.set(name, null);
}
