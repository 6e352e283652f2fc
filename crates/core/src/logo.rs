//! The logo of a client (RFC 7591 §2, `logo_uri`) as a browser would get it: whether what was answered is a picture that
//! users will see on the consent page, and what to do if not.

use crate::metadata::AdvancedConfiguration;
use crate::metadata::CANONICAL_WRAPPER;
use imagesize::ImageType;
use serde_json::{Map, Value};
use url::Url;

/// The most of a logo, in bytes (INV-62).
pub const MAX_LOGO_BYTES: usize = 256 * 1024;
/// The longest side of a logo, in pixels: a small file can unfold into more than a browser can hold.
pub const MAX_LOGO_PIXELS: usize = 4096;

/// What was answered when a logo was asked for, without following a redirect.
#[derive(Clone, Copy, Debug)]
pub struct LogoAnswer<'a> {
    /// The address that was asked.
    pub url: &'a str,
    /// HTTP status.
    pub status: u16,
    /// `Content-Type`, verbatim.
    pub content_type: Option<&'a str>,
    /// `Location`, verbatim.
    pub location: Option<&'a str>,
    /// The body; of an answer that is no success not needed.
    pub body: &'a [u8],
}

/// What a picture is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Its media type by its content: `image/png`, `image/jpeg`, `image/gif`, `image/webp` or `image/svg+xml`.
    pub media_type: &'static str,
    /// Width and height in pixels; a vector graphic has none.
    pub pixels: Option<(u32, u32)>,
    /// The declared media type, when it differs from the content: with `nosniff` a browser shows nothing.
    pub labelled: Option<String>,
}

/// Why there is no image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogoProblem {
    /// Stable code.
    pub code: &'static str,
    /// One or two sentences for users: what was answered, what to do. Begins with a verb; the address is put before it.
    pub message: String,
}

impl LogoProblem {
    /// A problem with this code and message.
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// The problem of a response that is larger than [`MAX_LOGO_BYTES`].
    pub fn too_large() -> Self {
        let most = MAX_LOGO_BYTES / 1024;
        Self::new("too_large", format!("is larger than {most} kB. Use a smaller picture."))
    }
}

/// What an answer to the request for a logo is.
pub fn check_logo(answer: &LogoAnswer<'_>) -> Result<Picture, LogoProblem> {
    match answer.status {
        200 => picture(answer),
        301 | 302 | 303 | 307 | 308 => Err(redirected(answer)),
        404 | 410 => Err(LogoProblem::new(
            "not_found",
            format!("was not found (answered {}). Check the address.", answer.status),
        )),
        401 | 403 => Err(LogoProblem::new(
            "refused",
            format!("answered {}. It must be readable without signing in.", answer.status),
        )),
        status => Err(LogoProblem::new("no_success", format!("answered {status} instead of 200."))),
    }
}

fn redirected(answer: &LogoAnswer<'_>) -> LogoProblem {
    let target = answer
        .location
        .and_then(|location| Url::parse(answer.url).ok()?.join(location).ok())
        .filter(|url| matches!(url.scheme(), "https" | "http"))
        .map(|mut url| {
            // The redirect target may carry a signature that must not be shown.
            url.set_query(None);
            url.set_fragment(None);
            let _ = url.set_username("").and_then(|()| url.set_password(None));
            let shown: String = url.to_string().chars().take(300).collect();
            shown
        });
    let status = answer.status;
    let message = match target {
        Some(target) => format!(
            "answered {status} to {target}. Use the address it leads to: not every authorization server follows redirects."
        ),
        None => format!("answered {status}, a redirect. Use the address it leads to."),
    };
    LogoProblem::new("redirected", message)
}

fn picture(answer: &LogoAnswer<'_>) -> Result<Picture, LogoProblem> {
    let called = answer.content_type.map(essence);
    let (media_type, pixels) = match imagesize::image_type(answer.body) {
        Ok(ImageType::Png) => ("image/png", true),
        Ok(ImageType::Jpeg) => ("image/jpeg", true),
        Ok(ImageType::Gif) => ("image/gif", true),
        Ok(ImageType::Webp) => ("image/webp", true),
        _ if is_svg(answer.body) => ("image/svg+xml", false),
        _ => return Err(not_an_image(called.as_deref(), answer.body)),
    };
    let pixels = if pixels { Some(measured(answer.body)?) } else { None };
    let is_right =
        |called: &String| called == media_type || called == "image/jpg" && media_type == "image/jpeg";
    Ok(Picture { media_type, pixels, labelled: called.filter(|called| !is_right(called)) })
}

fn measured(body: &[u8]) -> Result<(u32, u32), LogoProblem> {
    let size = imagesize::blob_size(body).ok().filter(|size| size.width > 0 && size.height > 0);
    let Some(size) = size else {
        return Err(LogoProblem::new("broken", "begins like a picture, but is broken."));
    };
    let sane = |side: usize| u32::try_from(side).ok().filter(|_| side <= MAX_LOGO_PIXELS);
    sane(size.width).zip(sane(size.height)).ok_or_else(|| {
        let (width, height) = (size.width, size.height);
        LogoProblem::new(
            "too_many_pixels",
            format!("is {width}×{height} pixels. Use at most {MAX_LOGO_PIXELS} on each side."),
        )
    })
}

fn not_an_image(called: Option<&str>, body: &[u8]) -> LogoProblem {
    let what = match called {
        _ if body.is_empty() => "nothing".to_owned(),
        Some(called) if !called.starts_with("image/") && !called.is_empty() => format!("`{called}`"),
        _ => "something else".to_owned(),
    };
    LogoProblem::new(
        "not_an_image",
        format!("is not an image: it answered with {what}. Use a PNG, JPEG, GIF, WebP or SVG."),
    )
}

/// The media type alone, in small letters, fit to be shown.
fn essence(content_type: &str) -> String {
    let bare = content_type.split(';').next().unwrap_or_default().trim();
    bare.chars().filter(char::is_ascii_graphic).take(60).collect::<String>().to_ascii_lowercase()
}

/// Whether a text's first element is `svg`: after it may come what comments and declarations allow.
fn is_svg(body: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(body) else { return false };
    let mut rest = text.strip_prefix('\u{feff}').unwrap_or(text).trim_start();
    loop {
        let end = if rest.starts_with("<?") {
            "?>"
        } else if rest.starts_with("<!--") {
            "-->"
        } else if rest.starts_with("<!") {
            // An internal subset may declare entities that grow; no logo needs one.
            let declaration = rest.split('>').next().unwrap_or_default();
            if declaration.contains('[') {
                return false;
            }
            ">"
        } else {
            break;
        };
        let Some(behind) = rest.find(end) else { return false };
        rest = rest[behind + end.len()..].trim_start();
    }
    rest.strip_prefix("<svg").is_some_and(|rest| rest.starts_with([' ', '\t', '\r', '\n', '>', '/']))
}

/// The logos that client metadata name: `logo_uri` first, then its language variants (`logo_uri#fr`), each address once.
pub fn logo_uris(client_metadata: &Map<String, Value>) -> Vec<String> {
    let mut named: Vec<(&String, &str)> = client_metadata
        .iter()
        .filter(|(member, _)| *member == "logo_uri" || member.starts_with("logo_uri#"))
        .filter_map(|(member, value)| Some((member, value.as_str()?)))
        .collect();
    named.sort();
    let mut uris: Vec<String> = Vec::new();
    for (_, uri) in named {
        if !uris.iter().any(|other| other == uri) {
            uris.push(uri.to_owned());
        }
    }
    uris
}

/// The same of one layer.
pub fn logo_uris_of(layer: &AdvancedConfiguration) -> Vec<String> {
    layer.value().get(CANONICAL_WRAPPER).and_then(Value::as_object).map(logo_uris).unwrap_or_default()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use serde_json::json;

    fn answer<'a>(status: u16, content_type: &'a str, body: &'a [u8]) -> LogoAnswer<'a> {
        LogoAnswer {
            url: "https://acme.com/logo.png",
            status,
            content_type: Some(content_type).filter(|text| !text.is_empty()),
            location: None,
            body,
        }
    }

    /// The beginning of a PNG of this size.
    fn png(width: u32, height: u32) -> Vec<u8> {
        let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
        bytes.extend(width.to_be_bytes());
        bytes.extend(height.to_be_bytes());
        bytes.extend([8, 6, 0, 0, 0]);
        bytes
    }

    fn code(answer: &LogoAnswer<'_>) -> &'static str {
        check_logo(answer).unwrap_err().code
    }

    #[test]
    fn images_are_recognised_by_content() {
        let webp = b"RIFF\x1a\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\xff\x01\0\xff\x01\0";
        let gif = b"GIF89a\x10\0\x20\0\0\0\0";
        let jpeg =
            b"\xff\xd8\xff\xe0\0\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0\xff\xc0\0\x11\x08\0\x20\0\x30\x03\x01\x22\0";
        for (body, media_type, pixels) in [
            (png(512, 256), "image/png", (512, 256)),
            (webp.to_vec(), "image/webp", (512, 512)),
            (gif.to_vec(), "image/gif", (16, 32)),
            (jpeg.to_vec(), "image/jpeg", (48, 32)),
        ] {
            let found = check_logo(&answer(200, media_type, &body)).unwrap();
            assert_eq!(found, Picture { media_type, pixels: Some(pixels), labelled: None });
        }
        let labelled = check_logo(&answer(200, "Text/HTML; charset=utf-8", &png(1, 1))).unwrap().labelled;
        assert_eq!(labelled.as_deref(), Some("text/html"));
        let common = check_logo(&answer(200, "image/jpg", jpeg)).unwrap();
        assert_eq!((common.media_type, common.labelled), ("image/jpeg", None));
    }

    #[test]
    fn svg_is_recognised_by_its_first_element() {
        for svg in [
            "<svg/>",
            "\u{feff} <?xml version=\"1.0\"?>\n<!-- a > b -->\n<!DOCTYPE svg PUBLIC \"x\" \"y\">\n<svg xmlns=\"…\">",
        ] {
            assert_eq!(check_logo(&answer(200, "", svg.as_bytes())).unwrap().media_type, "image/svg+xml");
        }
        for other in [
            "<svgs/>",
            "<html><svg/></html>",
            "<!-- <svg/>",
            "<!DOCTYPE svg [<!ENTITY a \"aaaa\">]><svg/>",
            "text <svg/>",
        ] {
            assert_eq!(code(&answer(200, "image/svg+xml", other.as_bytes())), "not_an_image", "{other}");
        }
    }

    #[test]
    fn non_image_is_reported_with_its_type() {
        let page = check_logo(&answer(200, "text/html", b"<!doctype html>")).unwrap_err();
        assert_eq!(page.code, "not_an_image");
        assert!(page.message.contains("`text/html`"), "{}", page.message);
        // Called a picture, it is none all the same.
        assert_eq!(code(&answer(200, "image/png", b"<!doctype html>")), "not_an_image");
        assert_eq!(code(&answer(200, "image/png", b"")), "not_an_image");
        assert_eq!(code(&answer(200, "image/tiff", b"II*\0\x08\0\0\0")), "not_an_image");
        assert_eq!(code(&answer(200, "image/png", &png(512, 512)[..18])), "broken");
        assert_eq!(code(&answer(200, "image/png", &png(0, 512))), "broken");
        assert_eq!(code(&answer(200, "image/png", &png(100_000, 100_000))), "too_many_pixels");
        for (status, expected) in [
            (404, "not_found"),
            (410, "not_found"),
            (403, "refused"),
            (500, "no_success"),
            (206, "no_success"),
        ] {
            assert_eq!(code(&answer(status, "image/png", &png(1, 1))), expected);
        }
    }

    #[test]
    fn redirect_is_reported_without_its_query() {
        let to = |location| {
            let answer = LogoAnswer { location, ..answer(301, "", b"") };
            check_logo(&answer).unwrap_err().message
        };
        assert!(to(Some("/new.png?signature=canary#x")).contains("301 to https://acme.com/new.png."));
        for odd in [None, Some("javascript:alert(1)"), Some("https://")] {
            assert!(to(odd).contains("answered 301, a redirect"), "{odd:?}: {}", to(odd));
        }
    }

    #[test]
    fn logos_are_unique_with_the_untagged_one_first() {
        let metadata = json!({
            "logo_uri#fr": "https://a.example/fr.png", "logo_uri": "https://a.example/z.png",
            "logo_uri#de": "https://a.example/z.png", "logo_urix": "https://a.example/no.png", "logo_uri#xx": 1,
        });
        let Value::Object(metadata) = metadata else { unreachable!() };
        assert_eq!(logo_uris(&metadata), ["https://a.example/z.png", "https://a.example/fr.png"]);
    }
}
