/* Says in the log who pushed to a guarded branch on GitHub, and louder who rewrote or deleted it. */

#include "hookgate.h"

#include <string.h>

static bool is_true(const hookgate_event *event, const char *pointer) {
    const char *value = hookgate_json(event, pointer);
    return value != NULL && strcmp(value, "true") == 0;
}

static const char *or_else(const char *text, const char *otherwise) { return text != NULL ? text : otherwise; }

static hookgate_result on_push(const hookgate_event *event) {
    const char *ref = hookgate_json(event, "/ref");
    if (ref == NULL) return hookgate_reject("a push that does not say where to");

    const char *branch = hookgate_setting("branch");
    if (strcmp(ref, hookgate_format("refs/heads/%s", branch)) != 0) return HOOKGATE_DONE;

    const char *who = or_else(hookgate_user_id(event), "somebody");
    const char *where = or_else(hookgate_attribute(event, "repository"), "a repository");
    if (is_true(event, "/deleted")) hookgate_error("%s deleted %s of %s", who, branch, where);
    else if (is_true(event, "/forced")) hookgate_error("%s rewrote %s of %s", who, branch, where);
    else hookgate_warn("%s pushed to %s of %s", who, branch, where);
    return HOOKGATE_DONE;
}

HOOKGATE_PLUGIN("branch-guard", "0.1.0",
    HOOKGATE_ON(on_push, "github:push"),
    HOOKGATE_SETTING("branch", "main", "The branch that is guarded."));
