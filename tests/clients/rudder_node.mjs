// @rudderstack/rudder-sdk-node as shops use it: one call of each kind, then so many events of so many bytes.
//   rudder_node.mjs URL KEY COUNT BYTES
import Analytics from '@rudderstack/rudder-sdk-node';

const [dataPlaneUrl, writeKey, count, bytes] = process.argv.slice(2);
const faults = [];
const analytics = new Analytics(writeKey, { dataPlaneUrl, flushAt: 100, logLevel: 'none', errorHandler: (fault) => faults.push(fault) });
const answered = [];
const send = (kind, message) =>
  answered.push(new Promise((resolve) => analytics[kind](message, (fault) => resolve(fault && faults.push(fault)))));

const ids = { userId: 'known', anonymousId: 'visitor' };
send('identify', { ...ids, traits: { plan: 'gold' } });
send('page', { ...ids, name: 'Home', properties: { url: 'https://shop.example/' } });
send('screen', { ...ids, name: 'Start' });
send('group', { ...ids, groupId: 'team', traits: { seats: 3 } });
send('alias', { userId: 'known', previousId: 'visitor' });
for (let number = 0; number < Number(count); number += 1) {
  const properties = { order_id: number, revenue: 89.9, currency: 'USD', note: 'x'.repeat(Number(bytes)) };
  send('track', { userId: `shopper-${number}`, event: 'Order Completed', properties });
}
let isDone = false;
const all = Promise.all(answered).then(() => { isDone = true; });
while (!isDone) {
  await analytics.flush().catch((fault) => faults.push(fault));
  await Promise.race([all, new Promise((resolve) => setTimeout(resolve, 100))]);
}
if (faults.length) throw new Error(String(faults));
