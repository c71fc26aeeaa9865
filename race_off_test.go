//go:build !race

package trulioo

// raceDetector tells whether these tests run with -race.
const raceDetector = false
