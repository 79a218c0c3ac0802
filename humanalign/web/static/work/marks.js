// What marks mean, without a page: {"A": "2", "B": "1", "C": "F"} and the order they stand for.

/** The ranked cards, best first: [["1", ["B"]], ["2", ["A"]]]; F and open cards are left out. */
export function tiers(marks) {
  const held = new Map();
  for (const letter of Object.keys(marks).sort()) {
    const mark = marks[letter];
    if (/^[1-9]$/.test(mark)) held.set(mark, [...(held.get(mark) ?? []), letter]);
  }
  return [...held].sort((one, other) => one[0] - other[0]);
}

/** One line: "1: C  2: A=D  F: B". */
export function summary(marks) {
  const out = Object.keys(marks).filter((letter) => marks[letter] === "F").sort();
  const parts = [...tiers(marks), ...(out.length ? [["F", out]] : [])];
  return parts.map(([mark, letters]) => `${mark}: ${letters.join("=")}`).join("  ");
}

/** The other cards with the same mark. */
export function tiedWith(marks, letter) {
  return Object.keys(marks).filter((each) => each !== letter && marks[each] === marks[letter]);
}

/**
 * The marks after moving a card one place up (-1) or down (+1), or null where it cannot go.
 *
 * A card in a tie leaves it; one alone changes places with the tier beside it; one without a rank
 * comes in last. Ranks are counted anew (1, 2, 2, 4).
 */
export function moved(marks, letter, step) {
  const order = tiers(marks).map(([, letters]) => letters);
  const place = order.findIndex((letters) => letters.includes(letter));
  if (place < 0) {
    order.push([letter]);
  } else if (order[place].length > 1) {
    order[place] = order[place].filter((each) => each !== letter);
    order.splice(step < 0 ? place : place + 1, 0, [letter]);
  } else {
    const beside = place + step;
    if (beside < 0 || beside >= order.length) return null;
    [order[place], order[beside]] = [order[beside], order[place]];
  }
  return counted(order, marks);
}

function counted(order, marks) {
  const result = { ...marks };
  let rank = 1;
  for (const letters of order) {
    for (const letter of letters) result[letter] = String(rank);
    rank += letters.length;
  }
  return result;
}
