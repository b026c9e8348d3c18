#include "hookgate_testing.h"

static hookgate_event push(const char *body) {
    hookgate_event event = hookgate_test_event("push");
    event.provider = "github";
    hookgate_test_attribute(&event, "user.id", "octocat");
    hookgate_test_attribute(&event, "repository", "octo-org/octo-repo");
    hookgate_test_payload(&event, body);
    return event;
}

HOOKGATE_TEST(a_push_to_main_is_told) {
    hookgate_event event = push("{\"ref\":\"refs/heads/main\",\"forced\":false}");
    HOOKGATE_EXPECT_DONE(hookgate_handle(&event));
    HOOKGATE_EXPECT_LOG("warn: octocat pushed to main of octo-org/octo-repo\n");
}

HOOKGATE_TEST(a_rewritten_branch_is_told_louder) {
    hookgate_event event = push("{\"ref\":\"refs/heads/main\",\"forced\":true}");
    HOOKGATE_EXPECT_DONE(hookgate_handle(&event));
    HOOKGATE_EXPECT_LOG("error: octocat rewrote main of octo-org/octo-repo\n");
}

HOOKGATE_TEST(the_operator_chooses_the_branch) {
    hookgate_test_setting("branch", "release/1");
    hookgate_event elsewhere = push("{\"ref\":\"refs/heads/main\"}");
    HOOKGATE_EXPECT_DONE(hookgate_handle(&elsewhere));
    hookgate_event there = push("{\"ref\":\"refs/heads/release\\/1\"}");
    HOOKGATE_EXPECT_DONE(hookgate_handle(&there));
    HOOKGATE_EXPECT_LOG("warn: octocat pushed to release/1 of octo-org/octo-repo\n");
}

HOOKGATE_TEST(a_push_without_a_ref_is_rejected) {
    hookgate_event event = push("{}");
    HOOKGATE_EXPECT_OUTCOME(hookgate_handle(&event), "reject: a push that does not say where to");
}
