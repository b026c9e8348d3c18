/* The plugin that each language has, here in C: it does what the test of the contract asks for by the event's type. */

#include "hookgate.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char *or_none(const char *text) { return text != NULL ? text : "none"; }

static hookgate_result on_fields(const hookgate_event *event) {
    hookgate_info("fields %s %s %s %s %" PRIu64 " %" PRIu32 " %s %s %s %s %s %s %s %s", event->id, event->source, event->provider,
                  event->type, event->received_at_ms, event->attempt, or_none(hookgate_resource_id(event)),
                  or_none(hookgate_resource_type(event)), or_none(hookgate_account_id(event)), or_none(hookgate_user_id(event)),
                  or_none(hookgate_project_id(event)), or_none(hookgate_workspace_id(event)),
                  or_none(hookgate_attribute(event, "custom")), or_none(hookgate_attribute(event, "absent")));
    return HOOKGATE_DONE;
}

static hookgate_result on_several(const hookgate_event *event) {
    hookgate_info("several %s", event->type);
    return HOOKGATE_DONE;
}

static hookgate_result on_wild(const hookgate_event *event) {
    hookgate_info("wild %s", event->type);
    return HOOKGATE_DONE;
}

static hookgate_result on_from(const hookgate_event *event) {
    hookgate_info("from %s", event->provider);
    return HOOKGATE_DONE;
}

static hookgate_result on_log(const hookgate_event *event) {
    (void)event;
    hookgate_debug("a debug line");
    hookgate_info("an info line");
    hookgate_warn("a warning");
    hookgate_error("an error");
    hookgate_info("grüße 日本 🎬");
    return HOOKGATE_DONE;
}

static hookgate_result on_setting(const hookgate_event *event) {
    (void)event;
    hookgate_info("greeting=%s missing=%s", hookgate_setting("greeting"), hookgate_setting("missing"));
    return HOOKGATE_DONE;
}

static hookgate_result on_reject(const hookgate_event *event) {
    (void)event;
    return hookgate_reject("never: ü");
}

static hookgate_result on_retry(const hookgate_event *event) {
    (void)event;
    return hookgate_retry("later: ü");
}

static hookgate_result on_retry_after(const hookgate_event *event) {
    (void)event;
    return hookgate_retry_after("busy", 90000);
}

static hookgate_result on_trap(const hookgate_event *event) {
    (void)event;
    abort();
}

static hookgate_result on_payload(const hookgate_event *event) {
    uint64_t sum = 0;
    for (size_t i = 0; i < event->payload_size; i++) sum += event->payload[i];
    hookgate_info("payload %zu %" PRIu64, event->payload_size, sum);
    return HOOKGATE_DONE;
}

static hookgate_result on_text(const hookgate_event *event) {
    const char *text = hookgate_text(event);
    if (text == NULL) return hookgate_reject("the payload is not UTF-8");
    hookgate_info("text %s", text);
    return HOOKGATE_DONE;
}

static hookgate_result on_clock(const hookgate_event *event) {
    (void)event;
    hookgate_info("clock %" PRIu64, hookgate_now_ms());
    return HOOKGATE_DONE;
}

static hookgate_result on_random(const hookgate_event *event) {
    (void)event;
    uint64_t number;
    hookgate_random(&number, sizeof number);
    hookgate_info("random %016" PRIx64, number);
    return HOOKGATE_DONE;
}

HOOKGATE_PLUGIN("contract", "1.2.3",
    HOOKGATE_ON(on_fields, "contract.fields"),
    HOOKGATE_ON(on_several, "contract.one", "contract.two"),
    HOOKGATE_ON(on_wild, "contract.wild.*"),
    HOOKGATE_ON(on_from, "github:contract.from"),
    HOOKGATE_ON(on_log, "contract.log"),
    HOOKGATE_ON(on_setting, "contract.setting"),
    HOOKGATE_ON(on_reject, "contract.reject"),
    HOOKGATE_ON(on_retry, "contract.retry"),
    HOOKGATE_ON(on_retry_after, "contract.retry-after"),
    HOOKGATE_ON(on_trap, "contract.trap"),
    HOOKGATE_ON(on_payload, "contract.payload"),
    HOOKGATE_ON(on_text, "contract.text"),
    HOOKGATE_ON(on_clock, "contract.clock"),
    HOOKGATE_ON(on_random, "contract.random"),
    HOOKGATE_SETTING("greeting", "hello", "What it says."),
    HOOKGATE_SETTING("missing", "", ""));
