package bandwidth

import "time"

// Shares are in thousandths.
const (
	lossFree    = 20  // up to here the estimate may grow
	lossTooMuch = 100 // above it falls
	lossWindow  = 400 * time.Millisecond
	lossPackets = 20 // in a window, else it goes on
	lossForget  = 10 * time.Second
)

// loss counts what did not arrive, window by window, and tells the link's own loss from that of a full queue.
type loss struct {
	began         time.Duration // of this window
	arrived, lost int           // packets in it
	share         int64         // of the last window
	own           int64         // the link's own, whatever is sent
	ownMost       int64         // as far as own may creep up
	chance        int64         // what the share of the last window may exceed own by, by chance
	sentAtBegin   int64         // bit/s, when an episode of loss began; 0 without one
	shareAtBegin  int64
	before        int64         // the estimate then
	found         bool          // own has been found by sending less in vain
	excessive     time.Duration // when a window last lost more than is free
}

// close ends a window when it is long enough, and says so. sent is the rate sent, calm that there is no queue.
func (l *loss) close(now time.Duration, sent, estimate int64, calm bool) bool {
	total := l.arrived + l.lost
	if total < lossPackets || now-l.began < lossWindow {
		return false
	}
	l.share = int64(max(l.lost, 0)) * 1000 / int64(total)
	l.chance = l.byChance(total)
	l.restart(now)
	l.learn(now, sent, estimate, calm)
	return true
}

// restart begins a window anew.
func (l *loss) restart(now time.Duration) { l.arrived, l.lost, l.began = 0, 0, now }

// learn finds the link's own loss. Were a queue that overflows the reason, then sending less would lose less: with a
// capacity c, s sent and a share p lost, c is s(1-p), so at s' the share is 1 - s(1-p)/s'. When at three quarters of
// the rate less than half of this relief shows, the loss is not ours.
func (l *loss) learn(now time.Duration, sent, estimate int64, calm bool) {
	excess := l.excess()
	switch {
	case excess > lossTooMuch && l.sentAtBegin == 0:
		l.sentAtBegin, l.shareAtBegin, l.before = max(sent, 1), l.share, estimate
	case l.sentAtBegin != 0 && sent > 0 && sent <= l.sentAtBegin*3/4:
		expected := max(1000-(1000-l.shareAtBegin)*l.sentAtBegin/sent, 0)
		if l.share > lossFree && l.share >= (expected+l.shareAtBegin)/2 {
			l.own = max(l.own, l.share*9/10)
			l.ownMost = l.share * 11 / 10
			l.found = true
		}
		l.sentAtBegin = 0
	case l.share < l.own:
		l.own -= (l.own - l.share + 7) / 8
	case excess <= lossTooMuch && calm:
		// Some loss and no queue: slowly take it for the link's own. Without an end to this, a link that polices its
		// rate without a queue would have its loss excused bit by bit.
		l.own = max(l.own, min(l.own+(l.share-l.own)/8, max(l.ownMost, lossTooMuch)))
	}
	if excess > lossFree {
		l.excessive = now
	} else if now-l.excessive > lossForget {
		l.sentAtBegin = 0
	}
	if l.own < lossTooMuch {
		l.ownMost = 0
	}
}

// byChance is two standard deviations of the share that a link with this loss of its own shows among some packets.
func (l *loss) byChance(packets int) int64 {
	square := 4 * l.own * (1000 - l.own) / int64(max(packets, 1))
	var root int64
	for (root+1)*(root+1) <= square {
		root++
	}
	return root
}

// excess is the share lost beyond the link's own.
func (l *loss) excess() int64 {
	usual := l.own + l.chance
	if l.share <= usual || usual >= 1000 {
		return 0
	}
	return (l.share - usual) * 1000 / (1000 - usual)
}
