use stack::{CfnOutput, CfnParameter, Stack};

fn wire(stack: &Stack, parameter: &CfnParameter) {
    CfnOutput::new(stack, "Url", "https://example.com").condition(parameter).build();
}

fn main() {}
