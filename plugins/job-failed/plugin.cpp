// Says in the log, as an error, which job or video failed on SoundHash, and why.

#include "hookgate.hpp"

using hookgate::Event;
using hookgate::Result;

static Result job_failed(Event event) {
    const auto job = event.resource_id();
    if (!job) return hookgate::reject("a job without an id");
    const auto why = event.json("/data/error").value_or("it does not say why");
    hookgate::log::error(hookgate::setting("prefix").value_or(""), "job ", *job, " failed: ", why);
    return hookgate::done;
}

static Result video_failed(Event event) {
    const auto video = event.json("/data/video_id");
    if (!video) return hookgate::reject("a video without an id");
    const auto title = event.json("/data/title").value_or("no title");
    hookgate::log::error(hookgate::setting("prefix").value_or(""), "video ", *video, " failed: ", title);
    return hookgate::done;
}

HOOKGATE_PLUGIN("job-failed", "0.1.0",
    hookgate::on<job_failed, "job.failed">,
    hookgate::on<video_failed, "video.failed">,
    hookgate::asks("prefix", "", "What each line begins with."));
