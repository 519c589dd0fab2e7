package web

import "sync/atomic"

// Counters are what the web side counts. There is no access log: numbers say enough, and name nobody.
type Counters struct {
	Requests     int64 `json:"requests"`
	Refused      int64 `json:"refused"`       // 4xx
	Throttled    int64 `json:"throttled"`     // 429, part of Refused
	Failed       int64 `json:"failed"`        // 5xx but 503
	Unavailable  int64 `json:"unavailable"`   // 503
	WrongHost    int64 `json:"wrong_host"`    // 421, part of Refused
	WrongOrigin  int64 `json:"wrong_origin"`  // part of Refused
	PolicyReport int64 `json:"policy_report"` // reports of browsers that the CSP stopped something
	LiveNow      int64 `json:"live_now"`
	LiveTotal    int64 `json:"live_total"`
	LiveRefused  int64 `json:"live_refused"` // messages refused
	LiveSlow     int64 `json:"live_slow"`    // connections cut because the page did not read
	Connection   int64 `json:"connection"`   // failed handshakes and the like, told by net/http
}

// counters are the running numbers.
type counters struct {
	requests, refusals, throttled, failed, unavailable atomic.Int64
	wrongHost, wrongOrigin, policyReport               atomic.Int64
	liveNow, liveTotal, liveRefused, liveSlow          atomic.Int64
	connection                                         atomic.Int64
}

func (c *counters) refused(status int) {
	switch {
	case status == 503:
		c.unavailable.Add(1)
	case status >= 500:
		c.failed.Add(1)
	default:
		c.refusals.Add(1)
		if status == 429 {
			c.throttled.Add(1)
		}
		if status == 421 {
			c.wrongHost.Add(1)
		}
	}
}

// Counters gives the numbers as they are now.
func (w *Web) Counters() Counters {
	c := &w.counters
	return Counters{
		Requests: c.requests.Load(), Refused: c.refusals.Load(), Throttled: c.throttled.Load(), Failed: c.failed.Load(),
		Unavailable: c.unavailable.Load(), WrongHost: c.wrongHost.Load(), WrongOrigin: c.wrongOrigin.Load(),
		PolicyReport: c.policyReport.Load(), LiveNow: c.liveNow.Load(), LiveTotal: c.liveTotal.Load(),
		LiveRefused: c.liveRefused.Load(), LiveSlow: c.liveSlow.Load(), Connection: c.connection.Load(),
	}
}
