// The twin of crates/stack/examples/scale.rs: stacks of queues with an alarm each.
import { App, Stack } from 'aws-cdk-lib';
import { Alarm } from 'aws-cdk-lib/aws-cloudwatch';
import { Queue } from 'aws-cdk-lib/aws-sqs';

const [stacks, resources] = process.argv.slice(2).map(Number);
const app = new App();
for (let number = 0; number < stacks; number++) {
  const stack = new Stack(app, `Stack${number}`);
  for (let index = 0; index < resources / 2; index++) {
    const queue = new Queue(stack, `Queue${index}`);
    new Alarm(stack, `Alarm${index}`, {
      metric: queue.metricApproximateNumberOfMessagesVisible(),
      threshold: 100,
      evaluationPeriods: 2,
    });
  }
}
app.synth();
