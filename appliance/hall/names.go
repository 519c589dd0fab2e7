package hall

import (
	"schalter/appliance/store"
	"schalter/media"
)

// Names by which package web speaks to the hall, without knowing store and media.
type (
	Key    = store.Key
	SeatID = media.SeatID
	Offer  = media.Offer
	Source = media.Source
	Shown  = media.Shown
	Relay  = media.RelayServer
)
