/**
 * Runs in the page before anything else: notes what each frame shows in the slots, and what the browser says it painted.
 *
 * A frame's note is taken in its animation callback, after everything that ran before the frame was drawn.
 */
export function watchFrames() {
  const frames = (window.frames_ = []);
  const painted = (window.painted_ = []);
  const look = (at) => {
    for (const slot of document.querySelectorAll('[data-podium]')) {
      const visible = getComputedStyle(slot).visibility === 'visible' && slot.getClientRects().length > 0;
      frames.push({ at, slot: slot.id, text: slot.textContent.trim(), visible });
    }
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) painted.push(entry.identifier);
  }).observe({ type: 'element', buffered: true });
}
