//! Where in the world a question comes from.

use cfn::Builder;
use cfn::route53::record_set;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Continent {
    Africa,
    Antarctica,
    Asia,
    Europe,
    NorthAmerica,
    Oceania,
    SouthAmerica,
}

impl Continent {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Africa => "AF",
            Self::Antarctica => "AN",
            Self::Asia => "AS",
            Self::Europe => "EU",
            Self::NorthAmerica => "NA",
            Self::Oceania => "OC",
            Self::SouthAmerica => "SA",
        }
    }
}

/// Whose questions a record answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GeoLocation {
    continent: Option<Continent>,
    country: Option<String>,
    subdivision: Option<String>,
}

impl GeoLocation {
    pub fn continent(continent: Continent) -> Self {
        Self {
            continent: Some(continent),
            country: None,
            subdivision: None,
        }
    }

    /// A code of ISO 3166-1: `DE`.
    pub fn country(code: impl Into<String>) -> Self {
        Self {
            continent: None,
            country: Some(code.into()),
            subdivision: None,
        }
    }

    /// A state of the US or an oblast of Ukraine: `("US", "WA")`.
    pub fn subdivision(country: impl Into<String>, code: impl Into<String>) -> Self {
        Self {
            continent: None,
            country: Some(country.into()),
            subdivision: Some(code.into()),
        }
    }

    /// All that no other record is for.
    pub fn elsewhere() -> Self {
        Self::country("*")
    }

    pub(super) fn problem(&self) -> Option<&'static str> {
        let is_country = |code: &str| code == "*" || code.len() == 2 && code.chars().all(|c| c.is_ascii_uppercase());
        if self.country.as_deref().is_some_and(|code| !is_country(code)) {
            return Some("a country is named by the two capital letters of ISO 3166-1");
        }
        let subdivision = self.subdivision.as_deref()?;
        if !matches!(self.country.as_deref(), Some("US" | "UA")) {
            return Some("only the United States (US) and Ukraine (UA) have subdivisions");
        }
        let valid = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit();
        let is_code = (1..=3).contains(&subdivision.len()) && subdivision.chars().all(valid);
        (!is_code).then_some("a subdivision is named by one to three capital letters or digits")
    }

    /// The part of a record's identifier.
    pub(super) fn identifier(&self) -> String {
        let mut identifier = "GEO".to_owned();
        for (kind, code) in [
            ("CONTINENT", self.continent.map(Continent::as_str)),
            ("COUNTRY", self.country.as_deref()),
            ("SUBDIVISION", self.subdivision.as_deref()),
        ] {
            if let Some(code) = code {
                identifier.push_str(&format!("_{kind}_{code}"));
            }
        }
        identifier
    }

    pub(super) fn render(&self) -> record_set::GeoLocation {
        record_set::GeoLocation::new()
            .when_some(
                self.continent.map(Continent::as_str),
                record_set::GeoLocation::continent_code,
            )
            .when_some(self.country.as_deref(), record_set::GeoLocation::country_code)
            .when_some(self.subdivision.as_deref(), record_set::GeoLocation::subdivision_code)
    }
}
