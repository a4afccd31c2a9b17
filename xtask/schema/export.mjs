// Prints the database of the npm package as plain JSON, references replaced by names. Argument: the folder that holds
// node_modules. Called by `cargo xtask schema`; merge.py reads what it prints.
import { createRequire } from 'node:module';
import { join } from 'node:path';

const require = createRequire(join(process.argv[2], 'package.json'));
const { loadAwsServiceSpecSync } = require('@aws-cdk/aws-service-spec');
const database = loadAwsServiceSpecSync();

function typeName(type, names) {
  switch (type.type) {
    case 'ref': {
      const name = names.get(type.reference.$ref);
      if (!name) throw new Error(`type ${type.reference.$ref} is used but not listed`);
      return name;
    }
    case 'array': return `list<${typeName(type.element, names)}>`;
    case 'map': return `map<${typeName(type.element, names)}>`;
    case 'union': return [...new Set(type.types.map((member) => typeName(member, names)))].join('|');
    case 'date-time': return 'timestamp';
    case 'null': return 'json';
    default: return type.type;
  }
}

function innermost(type) {
  return type.element ? innermost(type.element) : type;
}

function field(property, names) {
  return {
    type: typeName(property.type, names),
    documentation: property.documentation,
    required: property.required,
    causesReplacement: property.causesReplacement,
    allowedValues: innermost(property.type).allowedValues,
    relations: property.relationshipRefs?.map((ref) => `${ref.cloudFormationType}.${ref.propertyName}`),
    deprecated: property.deprecated,
    scrutinizable: property.scrutinizable,
    defaultValue: property.defaultValue,
  };
}

function fields(properties, names) {
  return Object.fromEntries(Object.entries(properties).map(([key, property]) => [key, field(property, names)]));
}

const resources = database.all('resource').map((resource) => {
  const used = database.follow('usesType', resource).map((link) => link.entity);
  const names = new Map();
  const taken = new Set();
  for (const type of used) {
    if (taken.has(type.name)) throw new Error(`${resource.cloudFormationType}: two types named ${type.name}`);
    taken.add(type.name);
    names.set(type.$id, type.name);
  }
  return {
    type: resource.cloudFormationType,
    documentation: resource.documentation,
    primaryIdentifier: resource.primaryIdentifier,
    refIdentifier: resource.cfnRefIdentifier,
    attributes: fields(resource.attributes, names),
    properties: fields(resource.properties, names),
    types: Object.fromEntries(used.map((type) => [
      type.name,
      { documentation: type.documentation, properties: fields(type.properties, names) },
    ])),
    tags: resource.tagInformation,
    stateful: resource.isStateful,
    scrutinizable: resource.scrutinizable,
    arnTemplate: resource.arnTemplate,
    replacementPaths: resource.additionalReplacementProperties,
    transform: resource.cloudFormationTransform,
  };
});
process.stdout.write(JSON.stringify(resources));
