//! Golden JSON of every intrinsic, and the rules of minimal concatenation.

use cfn::{
    ElementId, Expr, Intrinsic, Map, Name, Output, Parameter, Resource, Template, intrinsics as fns, pseudo, text,
};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

fn json_of(expr: impl Into<Expr>) -> Json {
    expr.into().to_json().expect("every reference has a name")
}

#[test]
fn intrinsics_render_as_cloudformation_writes_them() {
    let parameter = || fns::reference::<String>("P");
    let list = || fns::reference::<cfn::List<String>>("L");
    let golden: Vec<(Expr, Json)> = vec![
        (parameter().into(), json!({ "Ref": "P" })),
        (pseudo::stack_name().into(), json!({ "Ref": "AWS::StackName" })),
        (
            fns::get_att::<String>("D", "Endpoint.Port").into(),
            json!({ "Fn::GetAtt": ["D", "Endpoint.Port"] }),
        ),
        (
            fns::sub("${AWS::Region}-x", Map::new()).into(),
            json!({ "Fn::Sub": "${AWS::Region}-x" }),
        ),
        (
            fns::sub("${A}", Map::from_iter([("A", parameter())])).into(),
            json!({ "Fn::Sub": ["${A}", { "A": { "Ref": "P" } }] }),
        ),
        (
            fns::join(",", list()).into(),
            json!({ "Fn::Join": [",", { "Ref": "L" }] }),
        ),
        (
            fns::join(",", [parameter(), pseudo::region()]).into(),
            json!({ "Fn::Join": [",", [{ "Ref": "P" }, { "Ref": "AWS::Region" }]] }),
        ),
        (fns::join(",", ["a", "b"]).into(), json!("a,b")),
        (
            fns::if_else::<String>("C", "a", parameter()).into(),
            json!({ "Fn::If": ["C", "a", { "Ref": "P" }] }),
        ),
        (
            fns::select::<String>(1, list()).into(),
            json!({ "Fn::Select": [1, { "Ref": "L" }] }),
        ),
        (
            fns::split(",", parameter()).into(),
            json!({ "Fn::Split": [",", { "Ref": "P" }] }),
        ),
        (
            fns::find_in_map::<String>("M", pseudo::region(), "ami").into(),
            json!({ "Fn::FindInMap": ["M", { "Ref": "AWS::Region" }, "ami"] }),
        ),
        (
            fns::import_value::<String>("S:X").into(),
            json!({ "Fn::ImportValue": "S:X" }),
        ),
        (
            fns::cidr(parameter(), 6, "8").into(),
            json!({ "Fn::Cidr": [{ "Ref": "P" }, 6, "8"] }),
        ),
        (fns::get_azs("").into(), json!({ "Fn::GetAZs": "" })),
        (fns::base64("x").into(), json!({ "Fn::Base64": "x" })),
        (
            fns::transform("AWS::Include", Map::from_iter([("Location", "s3://b/k")])).into(),
            json!({ "Fn::Transform": { "Name": "AWS::Include", "Parameters": { "Location": "s3://b/k" } } }),
        ),
        (
            fns::and([fns::condition("A"), fns::not(fns::condition("B"))]).into(),
            json!({ "Fn::And": [{ "Condition": "A" }, { "Fn::Not": [{ "Condition": "B" }] }] }),
        ),
        (
            fns::or([fns::equals(parameter(), "x"), fns::equals(parameter(), true)]).into(),
            json!({ "Fn::Or": [{ "Fn::Equals": [{ "Ref": "P" }, "x"] }, { "Fn::Equals": [{ "Ref": "P" }, true] }] }),
        ),
        (
            Intrinsic::ToJsonString("x".into()).into(),
            json!({ "Fn::ToJsonString": "x" }),
        ),
        (
            Intrinsic::Length(list().into()).into(),
            json!({ "Fn::Length": { "Ref": "L" } }),
        ),
        (Expr::Float(2.0), json!(2)),
        (Expr::Float(0.5), json!(0.5)),
    ];
    for (expr, expected) in golden {
        assert_eq!(json_of(expr), expected);
    }
}

#[test]
fn an_element_without_a_name_does_not_render() {
    let error = Expr::reference(ElementId::new(4)).to_json().unwrap_err();
    assert!(error.to_string().contains("element 4"), "{error}");
    assert!(Expr::Float(f64::NAN).to_json().is_err());
}

#[test]
fn concatenation_is_minimal() {
    let region = || Expr::from(pseudo::region());
    assert_eq!(json_of(text!["a", "b"]), json!("ab"));
    assert_eq!(json_of(text![]), json!(""));
    assert_eq!(
        json_of(text!["", pseudo::region(), ""]),
        json!({ "Ref": "AWS::Region" })
    );
    assert_eq!(
        json_of(text!["a", text!["b", pseudo::region(), "c"], "d"]),
        json!({ "Fn::Join": ["", ["ab", { "Ref": "AWS::Region" }, "cd"]] })
    );
    // Only a join with the same delimiter is spliced in.
    assert_eq!(
        json_of(Expr::join(
            "-",
            ["a".into(), Expr::concat([region(), "x".into()]), "b".into()]
        )),
        json!({ "Fn::Join": ["-", ["a", { "Fn::Join": ["", [{ "Ref": "AWS::Region" }, "x"]] }, "b"]] })
    );
    // An empty piece counts where there is a delimiter.
    assert_eq!(
        json_of(Expr::join("-", ["a".into(), "".into(), "b".into()])),
        json!("a--b")
    );
}

#[test]
fn json_inside_a_text_keeps_its_references() {
    let body = Expr::map([
        ("region", Expr::from(pseudo::region())),
        ("title", "say \"hi\"".into()),
        ("arn", text!["a\"b:", pseudo::account_id()].into()),
        ("numbers", Expr::list([1, 2])),
    ]);
    assert_eq!(
        json_of(body.to_json_text()),
        json!({ "Fn::Join": ["", [
            "{\"region\":\"", { "Ref": "AWS::Region" },
            "\",\"title\":\"say \\\"hi\\\"\",\"arn\":\"a\\\"b:", { "Ref": "AWS::AccountId" },
            "\",\"numbers\":[1,2]}",
        ]] })
    );
    let literal = Expr::map([("a", Expr::list(["x"]))]);
    assert_eq!(json_of(literal.to_json_text()), json!("{\"a\":[\"x\"]}"));
}

#[test]
fn a_template_renders_its_sections_in_order_and_no_empty_ones() {
    let mut template = Template {
        description: Some("d".into()),
        ..Template::default()
    };
    template.parameters.insert(
        "P".into(),
        Parameter {
            type_name: "String".into(),
            ..Parameter::default()
        },
    );
    template
        .conditions
        .insert("C".into(), fns::equals(fns::reference::<String>("P"), "x").into());
    template.resources.insert("R".into(), Resource::new("AWS::SQS::Queue"));
    template.outputs.insert(
        "O".into(),
        Output {
            value: Expr::reference("R"),
            condition: Some("C".into()),
            ..Output::default()
        },
    );
    assert_eq!(
        serde_json::to_string(&template).unwrap(),
        concat!(
            r#"{"Description":"d","Parameters":{"P":{"Type":"String"}},"#,
            r#""Conditions":{"C":{"Fn::Equals":[{"Ref":"P"},"x"]}},"Resources":{"R":{"Type":"AWS::SQS::Queue"}},"#,
            r#""Outputs":{"O":{"Value":{"Ref":"R"},"Condition":"C"}}}"#
        )
    );
}

/// Texts, references and nested concatenations.
fn parts() -> impl Strategy<Value = Vec<Expr>> {
    let leaf = prop_oneof![
        "[a-z]{0,3}".prop_map(Expr::text),
        prop_oneof![Just("A"), Just("B")].prop_map(Expr::reference),
    ];
    let tree = leaf.prop_recursive(3, 24, 4, |inner| {
        prop::collection::vec(inner, 0..4).prop_map(Expr::concat)
    });
    prop::collection::vec(tree, 0..8)
}

/// What a concatenation means, with `<A>` for a reference.
fn meaning(expr: &Expr) -> String {
    match expr {
        Expr::Text(text) => text.to_string(),
        Expr::Ref(cfn::Target::Logical(name)) => format!("<{name}>"),
        Expr::Intrinsic(intrinsic) => match &**intrinsic {
            Intrinsic::Join {
                delimiter,
                values: Expr::List(parts),
            } => parts.iter().map(meaning).collect::<Vec<_>>().join(delimiter),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

proptest! {
    #[test]
    fn concatenation_keeps_its_meaning_and_is_minimal(parts in parts()) {
        let expected: String = parts.iter().map(meaning).collect();
        let joined = Expr::concat(parts);
        prop_assert_eq!(meaning(&joined), expected);
        if let Expr::Intrinsic(intrinsic) = &joined {
            let Intrinsic::Join { delimiter, values: Expr::List(pieces) } = &**intrinsic else {
                return Err(TestCaseError::fail("not a join"));
            };
            let delimiter: &Name = delimiter;
            prop_assert_eq!(delimiter.as_ref(), "");
            prop_assert!(pieces.len() > 1);
            prop_assert!(pieces.iter().all(|piece| matches!(piece, Expr::Text(_) | Expr::Ref(_))));
            prop_assert!(pieces.iter().all(|piece| piece.as_text() != Some("")));
            let adjacent = pieces.windows(2).any(|pair| pair[0].as_text().is_some() && pair[1].as_text().is_some());
            prop_assert!(!adjacent);
        }
        prop_assert_eq!(Expr::concat([joined.clone()]), joined);
    }
}
