//! Bodies as the S3 clients send them: `aws-chunked` with a trailer, and the checksums that they bring.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::{Bytes, BytesMut};
use crc::{CRC_32_ISCSI, CRC_64_NVME, Crc};
use http::{HeaderMap, HeaderName, HeaderValue};
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

use crate::service::ApiError;

const CHECKSUM_PREFIX: &str = "x-amz-checksum-";

/// Whether the body is made of chunks.
pub fn is_chunked(headers: &HeaderMap) -> bool {
    let text = |name: &str| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    };
    text("content-encoding")
        .split(',')
        .any(|coding| coding.trim() == "aws-chunked")
        || text("x-amz-content-sha256").starts_with("STREAMING-")
}

/// The body without its chunks. Trailers become headers, and `aws-chunked` leaves `content-encoding`.
pub fn unchunk(headers: &mut HeaderMap, body: Bytes) -> Result<Bytes, ApiError> {
    let incomplete = || {
        ApiError::new(
            400,
            "IncompleteBody",
            "The request body terminated unexpectedly: its chunks do not add up.",
        )
    };
    let mut rest = body;
    let mut whole = BytesMut::new();
    loop {
        let line = take_line(&mut rest).ok_or_else(incomplete)?;
        let size = line
            .split(';')
            .next()
            .and_then(|size| usize::from_str_radix(size.trim(), 16).ok());
        let size = size.ok_or_else(incomplete)?;
        if size == 0 {
            break;
        }
        if rest.len() < size {
            return Err(incomplete());
        }
        whole.extend_from_slice(&rest.split_to(size));
        if take_line(&mut rest).as_deref() != Some("") {
            return Err(incomplete());
        }
    }
    while let Some(line) = take_line(&mut rest) {
        if let Some((name, value)) = line.split_once(':') {
            let pair = (HeaderName::try_from(name.trim()), HeaderValue::try_from(value.trim()));
            if let (Ok(name), Ok(value)) = pair {
                headers.insert(name, value);
            }
        }
    }
    let left: Vec<&str> = headers
        .get("content-encoding")
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
        .split(',')
        .map(str::trim)
        .filter(|coding| !coding.is_empty() && *coding != "aws-chunked")
        .collect();
    match HeaderValue::try_from(left.join(",")) {
        Ok(value) if !left.is_empty() => headers.insert("content-encoding", value),
        _ => headers.remove("content-encoding"),
    };
    Ok(whole.freeze())
}

fn take_line(rest: &mut Bytes) -> Option<String> {
    let end = rest.windows(2).position(|pair| pair == b"\r\n")?;
    let line = rest.split_to(end);
    let _ = rest.split_to(2);
    Some(String::from_utf8_lossy(&line).into_owned())
}

/// Refuses a body that is not what its checksum headers say.
pub fn verify(headers: &HeaderMap, body: &[u8]) -> Result<(), ApiError> {
    for (name, value) in headers {
        let Ok(expected) = value.to_str() else { continue };
        if name == "content-md5" && BASE64_STANDARD.encode(Md5::digest(body)) != expected {
            return Err(ApiError::new(
                400,
                "BadDigest",
                "The Content-MD5 you specified did not match what we received.",
            ));
        }
        let Some(algorithm) = name.as_str().strip_prefix(CHECKSUM_PREFIX) else {
            continue;
        };
        if checksum(algorithm, body).is_some_and(|actual| actual != expected) {
            let message = format!(
                "The {} you specified did not match the calculated checksum.",
                algorithm.to_uppercase()
            );
            return Err(ApiError::new(400, "BadDigest", message));
        }
    }
    Ok(())
}

/// The base64 of a checksum, `None` for an algorithm that S3 does not have.
pub fn checksum(algorithm: &str, body: &[u8]) -> Option<String> {
    const CASTAGNOLI: Crc<u32> = Crc::<u32>::new(&CRC_32_ISCSI);
    const NVME: Crc<u64> = Crc::<u64>::new(&CRC_64_NVME);
    Some(match algorithm {
        "crc32" => BASE64_STANDARD.encode(crc32fast::hash(body).to_be_bytes()),
        "crc32c" => BASE64_STANDARD.encode(CASTAGNOLI.checksum(body).to_be_bytes()),
        "crc64nvme" => BASE64_STANDARD.encode(NVME.checksum(body).to_be_bytes()),
        "sha1" => BASE64_STANDARD.encode(Sha1::digest(body)),
        "sha256" => BASE64_STANDARD.encode(Sha256::digest(body)),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn chunks_are_joined_and_the_trailer_is_checked() {
        let mut headers = headers(&[
            ("content-encoding", "aws-chunked"),
            ("x-amz-trailer", "x-amz-checksum-crc32"),
        ]);
        let body = Bytes::from_static(
            b"5\r\nhello\r\n6;chunk-signature=ab\r\n world\r\n0\r\nx-amz-checksum-crc32:DUoRhQ==\r\n\r\n",
        );
        assert!(is_chunked(&headers));
        let whole = unchunk(&mut headers, body).unwrap();
        assert_eq!(&whole[..], b"hello world");
        assert!(!headers.contains_key("content-encoding"));
        verify(&headers, &whole).unwrap();
        assert_eq!(verify(&headers, b"hello there").unwrap_err().code, "BadDigest");
    }

    #[test]
    fn a_body_that_breaks_off_is_refused() {
        let error = unchunk(&mut HeaderMap::new(), Bytes::from_static(b"ff\r\nhello\r\n")).unwrap_err();
        assert_eq!(error.code, "IncompleteBody");
    }

    /// Check values of the catalogue of parametrised CRC algorithms, for the text `123456789`.
    #[test]
    fn checksums_have_the_published_check_values() {
        let of = |algorithm| checksum(algorithm, b"123456789").unwrap();
        assert_eq!(of("crc32"), BASE64_STANDARD.encode(0xcbf4_3926_u32.to_be_bytes()));
        assert_eq!(of("crc32c"), BASE64_STANDARD.encode(0xe306_9283_u32.to_be_bytes()));
        assert_eq!(
            of("crc64nvme"),
            BASE64_STANDARD.encode(0xae8b_1486_0a79_9888_u64.to_be_bytes())
        );
    }
}
