#include "hookgate_testing.h"

HOOKGATE_TEST(a_failed_job_is_an_error) {
    hookgate_event event = hookgate_test_event("job.failed");
    hookgate_test_attribute(&event, "resource.id", "7");
    hookgate_test_payload(&event, R"({"data":{"error":"no sound in it"}})");
    HOOKGATE_EXPECT_DONE(hookgate_handle(&event));
    HOOKGATE_EXPECT_LOG("error: job 7 failed: no sound in it\n");
}

HOOKGATE_TEST(a_failed_video_is_told_with_its_title) {
    hookgate_test_setting("prefix", "SoundHash: ");
    hookgate_event event = hookgate_test_event("video.failed");
    hookgate_test_payload(&event, R"({"data":{"video_id":456,"title":"T\u00eate"}})");
    HOOKGATE_EXPECT_DONE(hookgate_handle(&event));
    HOOKGATE_EXPECT_LOG("error: SoundHash: video 456 failed: Tête\n");
}

HOOKGATE_TEST(what_has_no_id_is_rejected) {
    hookgate_event event = hookgate_test_event("video.failed");
    hookgate_test_payload(&event, "no JSON at all");
    HOOKGATE_EXPECT_OUTCOME(hookgate_handle(&event), "reject: a video without an id");
    event.type = "job.failed";
    HOOKGATE_EXPECT_OUTCOME(hookgate_handle(&event), "reject: a job without an id");
}
