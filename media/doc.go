// Package media is the selective forwarding unit: it knows rooms, seats and tracks, no citizens and no offices.
package media
