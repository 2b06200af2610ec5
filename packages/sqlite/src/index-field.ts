/** What `indexes` may name: `trace_id`, or a path into the record (`req.status`). */
export const INDEX_FIELD = /^[A-Za-z_$][\w$-]*(?:\.[A-Za-z_$][\w$-]*)*$/;
