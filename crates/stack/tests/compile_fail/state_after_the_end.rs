use stack::stepfunctions::{Pass, Succeed};

fn wire(end: &Succeed, more: &Pass) {
    end.next(more);
}

fn main() {}
