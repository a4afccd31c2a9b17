//! Keys with their policies, grants, rotation and aliases.

use stack::iam::{PolicyDocument, PolicyStatement, Principal, Role, User};
use stack::kms::{Alias, Key, KeySpec, KeyUsage};
use stack::sns::Topic;
use stack::units::days;
use stack::{App, CfnOutput, RemovalPolicy, Stack};

pub fn build(app: &App) {
    let stack = Stack::new(app, "Keys").env("123456789012", "eu-west-1").build();
    let role = Role::new(&stack, "Role", Principal::account_root()).build();
    let user = User::new(&stack, "User").build();
    let plain = Key::new(&stack, "Plain").build();
    plain.grant_encrypt_decrypt(&role);
    plain.grant_decrypt(&user);
    let topics =
        Principal::service("sns.amazonaws.com").condition("StringEquals", [("aws:SourceAccount", "123456789012")]);
    plain.grant_encrypt(topics);
    plain.add_alias("plain");
    plain.add_alias("alias/second");
    let trusting = Key::new(&stack, "Trusting")
        .alias("team/trusting")
        .description("d")
        .enable_key_rotation(true)
        .rotation_period(days(180))
        .pending_window(days(7))
        .enabled(true)
        .multi_region(true)
        .admin(&role)
        .removal_policy(RemovalPolicy::Destroy)
        .build();
    trusting.grant_encrypt_decrypt(&role);
    trusting.grant_decrypt(Principal::account("222222222222"));
    Key::new(&stack, "Rotated").rotation_period(days(90)).build();
    special(&stack, &role);
    let existing = Key::from_arn(&stack, "Existing", "arn:aws:kms:eu-west-1:123456789012:key/1-2-3");
    existing.grant_decrypt(&role);
    existing.grant_decrypt(Principal::service("x.amazonaws.com"));
    let alias = Alias::new(&stack, "Named", "named", &existing)
        .removal_policy(RemovalPolicy::Retain)
        .build();
    CfnOutput::new(&stack, "KeyId", existing.key_id()).build();
    CfnOutput::new(&stack, "AliasArn", alias.alias_arn()).build();
    Topic::new(&stack, "Topic").encryption_key(&plain).build();
    let kept = Role::from_arn(&stack, "Kept", "arn:aws:iam::123456789012:role/kept");
    plain.grant_decrypt(&kept);
    let far = Stack::new(app, "Far").env("999999999999", "eu-west-1").build();
    let reader = Role::new(&far, "Reader", Principal::service("ec2.amazonaws.com"))
        .role_name("reader")
        .build();
    existing.grant_decrypt(&reader);
    let open = Stack::new(app, "Open").build();
    Key::new(&open, "Key").build();
}

fn special(stack: &Stack, role: &Role) {
    let everybody = PolicyStatement::allow(["kms:GetPublicKey"])
        .on_all()
        .by(Principal::any());
    let signing = Key::new(stack, "Signing")
        .key_spec(KeySpec::EccNistP256)
        .key_usage(KeyUsage::SignVerify)
        .policy(PolicyDocument::new([everybody]))
        .build();
    signing.grant_sign(role);
    signing.grant_sign_verify(role);
    let mac = Key::new(stack, "Mac")
        .key_spec(KeySpec::Hmac256)
        .key_usage(KeyUsage::GenerateVerifyMac)
        .build();
    mac.grant_generate_mac(role);
    mac.grant_verify_mac(role);
    let theirs = PolicyStatement::allow(["kms:VerifyMac"])
        .sid("Mine")
        .on_all()
        .by(Principal::account("333333333333"));
    mac.add_to_resource_policy(theirs);
}
