use stack::{Stack, elasticache::CacheCluster};

fn wire(stack: &Stack) {
    CacheCluster::redis(stack, "Cache", "cache.t4g.micro", 2).build();
}

fn main() {}
