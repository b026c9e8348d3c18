//! The providers that are built in, each from its file.

use super::description::Provider;

const FILES: &[(&str, &str)] = &[
    ("aws-sns", include_str!("../../providers/aws-sns.toml")),
    ("discord", include_str!("../../providers/discord.toml")),
    ("frameio", include_str!("../../providers/frameio.toml")),
    ("github", include_str!("../../providers/github.toml")),
    ("gitlab", include_str!("../../providers/gitlab.toml")),
    ("hmac", include_str!("../../providers/hmac.toml")),
    ("linear", include_str!("../../providers/linear.toml")),
    ("mailgun", include_str!("../../providers/mailgun.toml")),
    ("meta", include_str!("../../providers/meta.toml")),
    ("pagerduty", include_str!("../../providers/pagerduty.toml")),
    ("shopify", include_str!("../../providers/shopify.toml")),
    ("slack", include_str!("../../providers/slack.toml")),
    ("soundhash", include_str!("../../providers/soundhash.toml")),
    ("square", include_str!("../../providers/square.toml")),
    ("standard-webhooks", include_str!("../../providers/standard-webhooks.toml")),
    ("stripe", include_str!("../../providers/stripe.toml")),
    ("svix", include_str!("../../providers/svix.toml")),
    ("twilio", include_str!("../../providers/twilio.toml")),
    ("twitch", include_str!("../../providers/twitch.toml")),
    ("zoom", include_str!("../../providers/zoom.toml")),
];

/// Every name, in order.
pub fn names() -> impl Iterator<Item = &'static str> {
    FILES.iter().map(|(name, _)| *name)
}

/// The provider of a name.
pub fn find(name: &str) -> Option<Provider> {
    let (name, text) = FILES.iter().find(|(known, _)| *known == name)?;
    // A test reads every file: what is built in can be read.
    Provider::parse(name, text).ok()
}

/// The text of a provider's file.
pub fn text(name: &str) -> Option<&'static str> {
    FILES.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

/// Every provider, in order of names.
pub fn all() -> impl Iterator<Item = Provider> {
    names().filter_map(find)
}

/// The name that is nearest to one that there is not.
pub fn nearest(name: &str) -> Option<&'static str> {
    let likeness = |known: &&str| (strsim::jaro_winkler(known, name) * 1000.0) as u32;
    names().max_by_key(likeness).filter(|known| likeness(known) > 700)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_can_be_read() {
        for (name, text) in FILES {
            let provider = Provider::parse(name, text).unwrap_or_else(|told| panic!("{name}: {told:#?}"));
            assert!(
                !provider.about.is_empty() && provider.docs.is_some() && provider.sample_types().count() > 0,
                "{name}"
            );
        }
        assert!(names().is_sorted());
    }

    #[test]
    fn every_file_of_the_folder_is_built_in() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/providers");
        let mut there: Vec<String> =
            std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        there.sort();
        assert_eq!(there, names().map(|name| format!("{name}.toml")).collect::<Vec<_>>());
    }
}
