// An OpenFeature hook that tells who was shown which variant: `track("Experiment Viewed", properties, unit)`.
export const exposureHook = (track, told = new Set()) => ({
  // In `after` a fault of the tracker would cost the shopper the value.
  finally({ context: { targetingKey: unit } }, { errorCode, flagMetadata: { experimentId, decisionId }, variant }) {
    const exposure = JSON.stringify([unit, experimentId, variant]);
    if (errorCode || !experimentId || told.has(exposure)) return;
    track("Experiment Viewed", { experiment_id: experimentId, variation_id: variant, decision_id: decisionId }, unit);
    if (told.size === 10_000) told.clear();
    told.add(exposure);
  },
});
