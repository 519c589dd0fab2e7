// Package ui holds what the browser code's build left in dist, embedded into the daemon, and serves it.
//
// Vite writes hashed files to dist/assets and a manifest to dist/.vite/manifest.json. [Load] reads both once: a page asks
// for an entry ("src/visit.ts") and gets the addresses to put into its head. Files never change under their name, so they
// are immutable for caches and compressed once at start; nothing else of the house is compressed, because a secret and a
// stranger's text in one compressed answer betray each other.
//
// Without a build (dist holds only .keep) everything runs: entries are then not found, and pages go without style.
package ui
