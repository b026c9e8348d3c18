//! Headers, whose names are the same in capitals or not.

const CONTENT_TYPE: &str = "content-type";

/// The first header of a name.
pub(crate) fn find<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find_map(|(known, value)| known.eq_ignore_ascii_case(name).then_some(value.as_str()))
}

/// Adds a header. There is one content type at most: the last one counts.
pub(crate) fn add(headers: &mut Vec<(String, String)>, name: String, value: String) {
    if name.eq_ignore_ascii_case(CONTENT_TYPE) {
        headers.retain(|(known, _)| !known.eq_ignore_ascii_case(CONTENT_TYPE));
    }
    headers.push((name, value));
}

/// Adds a content type, unless there is one.
pub(crate) fn add_content_type(headers: &mut Vec<(String, String)>, content_type: &str) {
    if find(headers, CONTENT_TYPE).is_none() {
        headers.push((CONTENT_TYPE.to_string(), content_type.to_string()));
    }
}

pub(crate) const JSON: &str = "application/json";
pub(crate) const TEXT: &str = "text/plain; charset=utf-8";
