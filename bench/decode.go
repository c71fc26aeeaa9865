package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"regexp"

	"github.com/trulioo-go/trulioo"
)

// The ways to decode a profile. All but leftRaw and nothing decode the details.
const (
	direct      = "Profile.UnmarshalJSON, details decoded"
	leftRaw     = "Profile.UnmarshalJSON, details left raw"
	stored      = "json.Unmarshal, details decoded"
	nothing     = "json.Unmarshal of a type that decodes nothing"
	oneUntidy   = "one value untidy"
	everyUntidy = "every value untidy"
)

// skipped has encoding/json's own cost only: it looks at a document before it
// calls UnmarshalJSON.
type skipped struct{}

func (*skipped) UnmarshalJSON([]byte) error { return nil }

// decode measures the ways in turn, without any connection, on the vendor's sample of
// 4 KB or on a profile of 200 KB from the server.
func (j job) decode(ctx context.Context) (map[string]pace, error) {
	body, err := j.body(ctx)
	if err != nil {
		return nil, err
	}
	one := bytes.Replace(body, []byte(`"completed":true`), []byte(`"completed":"true"`), 1)
	every := regexp.MustCompile(`:(true|false|[0-9]+)([,}])`).ReplaceAll(body, []byte(`:"$1"$2`))
	names := []string{plain, direct, leftRaw, stored, nothing, oneUntidy, everyUntidy}
	return alternate(j.Rounds, names, []func() error{
		func() error { return json.Unmarshal(body, new(plainProfile)) },
		func() error { return decodeDirectly(body) },
		func() error { return new(trulioo.Profile).UnmarshalJSON(body) },
		func() error {
			p := new(trulioo.Profile)
			return errors.Join(json.Unmarshal(body, p), decodeDetails(p))
		},
		func() error { return json.Unmarshal(body, new(skipped)) },
		func() error { return decodeDirectly(one) },
		func() error { return decodeDirectly(every) },
	})
}

func (j job) body(ctx context.Context) ([]byte, error) {
	if !j.Full {
		sample, err := os.ReadFile("testdata/profile.json")
		if err != nil {
			return nil, err
		}
		var compact bytes.Buffer
		err = json.Compact(&compact, sample)
		return compact.Bytes(), err
	}
	l, err := newLibrary(j.API)
	if err != nil {
		return nil, err
	}
	profile, err := l.client.Clients.Get(ctx, j.API.Profile, &trulioo.GetOptions{FullServiceDetails: true})
	if err != nil {
		return nil, err
	}
	return profile.Raw, nil
}

func decodeDirectly(body []byte) error {
	p := new(trulioo.Profile)
	return errors.Join(p.UnmarshalJSON(body), decodeDetails(p))
}

func decodeDetails(p *trulioo.Profile) error {
	for _, service := range p.Services() {
		if _, err := service.Details(); err != nil && !errors.Is(err, trulioo.ErrNoDetails) {
			return err
		}
	}
	return nil
}

func (r *results) reportDecode(j job, calls map[string]pace) {
	size, raw := "4 KB", 0.0
	if j.Full {
		size, raw = "200 KB", 0.30
	}
	const group = "Decoding a profile, without a connection"
	for _, c := range []struct {
		way, against, told string
		goal               float64
	}{
		{direct, plain, "encoding/json into plain structs", 0.65},
		{leftRaw, plain, "encoding/json into plain structs", raw},
		{stored, plain, "encoding/json into plain structs", 0.95},
		{nothing, plain, "encoding/json into plain structs", 0},
		{oneUntidy, direct, "every value tidy", 1.3},
		{everyUntidy, direct, "every value tidy", 1.3},
	} {
		r.compare(line{Group: group, What: size + ": " + c.way, Against: c.told, Goal: c.goal}, micro(calls[c.way]), micro(calls[c.against]), inMicroseconds)
	}
}
