//! Dividing an IPv4 block among subnets, as aws-cdk-lib's `NetworkBuilder` does: in order, without gaps, and what has no
//! size of its own shares what is left equally.

use std::net::Ipv4Addr;

/// What AWS takes for a VPC or a subnet.
const MASKS: std::ops::RangeInclusive<u32> = 16..=28;

/// An IPv4 block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    start: u64,
    mask: u32,
}

impl Block {
    /// `10.0.0.0/16`. Bits below the mask are dropped.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let invalid = || format!("`{text}` is no IPv4 block between /16 and /28, such as 10.0.0.0/16");
        let (address, mask) = text.split_once('/').ok_or_else(invalid)?;
        let address: Ipv4Addr = address.parse().map_err(|_| invalid())?;
        let mask: u32 = mask.parse().map_err(|_| invalid())?;
        if !MASKS.contains(&mask) {
            return Err(invalid());
        }
        let start = u64::from(address.to_bits());
        Ok(Self {
            start: start - start % size(mask),
            mask,
        })
    }

    fn end(self) -> u64 {
        self.start + size(self.mask)
    }
}

impl std::fmt::Display for Block {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let address = u32::try_from(self.start).map_or(Ipv4Addr::BROADCAST, Ipv4Addr::from_bits);
        write!(formatter, "{address}/{}", self.mask)
    }
}

const fn size(mask: u32) -> u64 {
    1 << (32 - mask)
}

/// Gives each subnet its block: first those with a mask of their own, in order, then the others.
pub(crate) fn allocate(network: Block, masks: &[Option<u32>]) -> Result<Vec<Block>, String> {
    let mut next = network.start;
    let mut take = |mask: u32| {
        if !MASKS.contains(&mask) {
            return Err(format!("a subnet of /{mask} is not possible; AWS takes /16 to /28"));
        }
        let start = next.next_multiple_of(size(mask));
        let block = Block { start, mask };
        if block.end() > network.end() {
            return Err(format!("no room for another /{mask} in {network}"));
        }
        next = block.end();
        Ok(block)
    };
    let mut blocks: Vec<Option<Block>> = Vec::new();
    for mask in masks {
        blocks.push(mask.map(&mut take).transpose()?);
    }
    let open = masks.iter().filter(|mask| mask.is_none()).count() as u64;
    let used = blocks
        .iter()
        .flatten()
        .map(|block| block.end())
        .max()
        .unwrap_or(network.start);
    if let Some(each) = (network.end() - used).checked_div(open) {
        let mask = 32
            - each
                .checked_ilog2()
                .ok_or_else(|| format!("no room for {open} more subnets in {network}"))?;
        for block in blocks.iter_mut().filter(|block| block.is_none()) {
            *block = Some(take(mask)?);
        }
    }
    Ok(blocks.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(network: &str, masks: &[Option<u32>]) -> Vec<String> {
        allocate(Block::parse(network).unwrap(), masks)
            .unwrap()
            .iter()
            .map(Block::to_string)
            .collect()
    }

    #[test]
    fn equal_shares() {
        assert_eq!(
            blocks("10.0.0.0/16", &[None; 4]),
            ["10.0.0.0/18", "10.0.64.0/18", "10.0.128.0/18", "10.0.192.0/18"]
        );
        assert_eq!(
            blocks("10.0.0.0/16", &[None; 3]),
            ["10.0.0.0/18", "10.0.64.0/18", "10.0.128.0/18"]
        );
    }

    #[test]
    fn sizes_of_their_own_come_first() {
        let masks = [None, Some(24), None, Some(20)];
        assert_eq!(
            blocks("10.20.0.0/16", &masks),
            ["10.20.64.0/18", "10.20.0.0/24", "10.20.128.0/18", "10.20.16.0/20"]
        );
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        assert!(allocate(Block::parse("10.0.0.0/24").unwrap(), &[Some(25), Some(25), Some(25)]).is_err());
        assert!(allocate(Block::parse("10.0.0.0/16").unwrap(), &[Some(29)]).is_err());
        assert!(Block::parse("10.0.0.0/8").is_err());
        assert!(Block::parse("10.0.0").is_err());
    }
}
