//! Says in the log which video SoundHash has processed, and how long it plays.

use hookgate_plugin::soundhash::{VideoProcessed, Webhook};
use hookgate_plugin::{Result, log, plugin, setting};

struct VideoTitle;

#[plugin(setting("prefix", default = "processed", about = "What each line begins with."))]
impl VideoTitle {
    #[on("video.processed")]
    fn processed(webhook: Webhook<VideoProcessed>) -> Result {
        let prefix = setting("prefix").unwrap_or_default();
        let video = webhook.data();
        let title = video.title.as_deref().unwrap_or(&video.video_id);
        log::info!("{prefix}: {title} ({})", length(video.duration_seconds));
        Ok(())
    }
}

/// As a clock shows it: `3:05`.
fn length(seconds: Option<f64>) -> String {
    match seconds {
        Some(seconds) => format!("{}:{:02}", seconds as u64 / 60, seconds as u64 % 60),
        None => "of unknown length".to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hookgate_plugin::{Plugin, testing};

    #[test]
    fn the_title_and_the_length_are_logged() {
        let body = r#"{"event":"video.processed","data":{"video_id":456,"title":"Harbour","duration":185.5}}"#;
        let event = testing::event("video.processed").payload(body).build();
        assert_eq!(VideoTitle::handle(event), Ok(()));
        assert_eq!(testing::logs(), ["info: processed: Harbour (3:05)"]);
    }

    #[test]
    fn the_operator_chooses_the_prefix() {
        testing::settings([("prefix", "new video")]);
        let event = testing::event("video.processed").payload(r#"{"data":{"video_id":456}}"#).build();
        assert_eq!(VideoTitle::handle(event), Ok(()));
        assert_eq!(testing::logs(), ["info: new video: 456 (of unknown length)"]);
    }
}
