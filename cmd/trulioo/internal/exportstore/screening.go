package exportstore

import "github.com/trulioo-go/trulioo"

// The words of Record.Screening. It is empty where nobody was screened.
const (
	ScreeningClear   = "clear"
	ScreeningHit     = "hit"
	ScreeningUnknown = "unknown"
)

// screening is the outcome of all watchlist checks together: a hit of one is a hit, and
// only a client who is clear in each is clear.
func screening(p *trulioo.Profile) (outcome string, hits int64) {
	for _, s := range p.Screenings() {
		hits += int64(len(s.Hits))
		switch {
		case s.Outcome.Hit():
			outcome = ScreeningHit
		case outcome == ScreeningHit:
		case s.Outcome != trulioo.ScreeningClear:
			outcome = ScreeningUnknown
		case outcome == "":
			outcome = ScreeningClear
		}
	}
	return outcome, hits
}
