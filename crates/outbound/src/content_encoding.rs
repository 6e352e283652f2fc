//! Content encodings (RFC 9110 §8.4) that were not asked for. The HTTP client decodes gzip, which it asks for; some proxies
//! send brotli to everybody.

use registry_core::oauth::{Failure, FailureClass, verbatim};
use std::io::Read;

/// The most that is decoded at once, in bytes.
const BUFFER: usize = 8 * 1024;

/// `body` without its `encoding`, at most `most` bytes of it. A failure names the encoding.
pub(crate) fn decode(body: Vec<u8>, encoding: &str, most: usize, host: &str) -> Result<Vec<u8>, Failure> {
    match encoding.trim().to_ascii_lowercase().as_str() {
        "" | "identity" => Ok(body),
        "br" => decoded(brotli::Decompressor::new(body.as_slice(), BUFFER), most, host),
        _ => Err(not_understood(encoding, host)),
    }
}

fn decoded(reader: impl Read, most: usize, host: &str) -> Result<Vec<u8>, Failure> {
    let mut decoded = Vec::new();
    let limit = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    match reader.take(limit).read_to_end(&mut decoded) {
        Ok(_) if decoded.len() > most => Err(Failure::new(
            FailureClass::Protocol,
            "answer_too_large",
            format!("{host} answered with more than {most} bytes."),
        )),
        Ok(_) => Ok(decoded),
        Err(_) => Err(not_understood("br", host)),
    }
}

fn not_understood(encoding: &str, host: &str) -> Failure {
    Failure::new(
        FailureClass::Protocol,
        "encoding_not_understood",
        format!(
            "{host} answered with the content encoding `{}`, which was not asked for and cannot be decoded. Ask its owner to honour `Accept-Encoding`.",
            verbatim(encoding)
        ),
    )
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use std::io::Write;

    fn compressed(text: &[u8]) -> Vec<u8> {
        let mut coder = brotli::CompressorWriter::new(Vec::new(), 4096, 5, 20);
        coder.write_all(text).unwrap();
        coder.into_inner()
    }

    #[test]
    fn encodings_are_decoded_or_named() {
        let plain = b"{\"issuer\":\"https://h\"}";
        let read = |body: &[u8], encoding| decode(body.to_vec(), encoding, 1000, "h.example");
        for encoding in ["", "identity", " IDENTITY "] {
            assert_eq!(read(plain, encoding).unwrap(), plain);
        }
        for encoding in ["br", "BR", " br "] {
            assert_eq!(read(&compressed(plain), encoding).unwrap(), plain);
        }
        for encoding in ["zstd", "deflate", "compress", "br, br", "gzip, br", "x-unknown"] {
            let failure = read(plain, encoding).unwrap_err();
            assert_eq!((failure.class, failure.code), (FailureClass::Protocol, "encoding_not_understood"));
            assert!(failure.message.contains(&format!("`{encoding}`")), "{}", failure.message);
        }
        assert_eq!(read(b"no brotli at all", "br").unwrap_err().code, "encoding_not_understood");
        let bomb = compressed(&vec![b' '; 1_000_000]);
        assert_eq!(read(&bomb, "br").unwrap_err().code, "answer_too_large");
    }
}
