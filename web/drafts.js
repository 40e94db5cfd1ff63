// What a learner is writing: kept in this browser by question, with the one Idempotency-Key under which it is sent.
// An answer that was sent without a reply stays as it was sent until the service has said what became of it.
import { kept } from "./dom.js";
import { newKey, user } from "./api.js";

/** The draft of a question: {text, seconds, key, sent}. */
export class Draft {
  constructor(session, question) {
    this.name = `draft.${user().id}.${session}.${question}`;
    let found = null;
    try {
      found = JSON.parse(kept.get(this.name));
    } catch {
      // what cannot be read is no draft
    }
    Object.assign(this, { text: "", seconds: 0, sent: false, body: null, key: newKey() }, found);
  }

  keep() {
    const { text, seconds, key, sent, body } = this;
    kept.set(this.name, JSON.stringify({ text, seconds, key, sent, body }));
  }

  /** From here on it is repeated with this body and under this key only. */
  markSent(body) {
    Object.assign(this, { sent: true, body });
    this.keep();
  }

  /** The service refused it for good: it can be changed, and is another request then. */
  reopen() {
    Object.assign(this, { sent: false, body: null, key: newKey() });
    this.keep();
  }

  drop() {
    kept.set(this.name, null);
  }
}

/** Forget the drafts of a session that is over, or (without one) all of this account. */
export function dropDrafts(session = "") {
  const beginning = `draft.${user()?.id}.${session}`;
  for (const name of kept.names()) if (name.startsWith(session ? `${beginning}.` : beginning)) kept.set(name, null);
}
