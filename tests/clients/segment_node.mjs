// @segment/analytics-node as shops use it: one call of each kind, then so many events of so many bytes.
//   segment_node.mjs URL KEY COUNT BYTES
import { Analytics } from '@segment/analytics-node';

const [host, writeKey, count, bytes] = process.argv.slice(2);
const analytics = new Analytics({ host, writeKey, flushAt: 100 });
const faults = [];
analytics.on('error', (fault) => faults.push(fault.reason ?? fault));

const ids = { userId: 'known', anonymousId: 'visitor' };
analytics.identify({ ...ids, traits: { plan: 'gold' } });
analytics.page({ ...ids, name: 'Home', properties: { url: 'https://shop.example/' } });
analytics.screen({ ...ids, name: 'Start' });
analytics.group({ ...ids, groupId: 'team', traits: { seats: 3 } });
analytics.alias({ userId: 'known', previousId: 'visitor' });
for (let number = 0; number < Number(count); number += 1) {
  const properties = { order_id: number, revenue: 89.9, currency: 'USD', note: 'x'.repeat(Number(bytes)) };
  analytics.track({ userId: `shopper-${number}`, event: 'Order Completed', properties });
}
await analytics.closeAndFlush({ timeout: 60_000 });
if (faults.length) throw new Error(String(faults));
