// Package alert owns what is watched: when a rule's condition has lasted long
// enough to fire, when it counts as resolved, what is said of it, and the loop
// that looks.
//
// Decide is a calculation and knows no clock. The ledger, where alerts are kept,
// is an interface of its own, and what the rules read are functions: it refuses
// to know where figures come from, and how notifications are sent.
package alert
