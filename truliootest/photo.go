package truliootest

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"sync"
)

// photos are the invented cards that the files begin with, so that a page with photos
// has some to show. A decoder ignores the bytes behind a card.
var photos = func() (drawn [16]func() []byte) {
	for i := range drawn {
		drawn[i] = sync.OnceValue(func() []byte { return card(mix(uint64(i))) })
	}
	return drawn
}()

// skins are the skin colours of the portraits.
var skins = []color.RGBA{{244, 214, 188, 255}, {226, 181, 142, 255}, {198, 145, 104, 255}, {150, 101, 68, 255}, {104, 68, 46, 255}}

// card draws a card of an invented person: a portrait and lines of text that say nothing.
func card(seed uint64) []byte {
	const width, height = 480, 300
	var chance [8]byte
	binary.LittleEndian.PutUint64(chance[:], seed)
	pick := func(shift int, from, span uint8) uint8 { return from + chance[shift/8]%span }
	picture := image.NewRGBA(image.Rect(0, 0, width, height))
	paper := color.RGBA{pick(0, 205, 40), pick(8, 215, 30), pick(16, 220, 30), 255}
	draw.Draw(picture, picture.Bounds(), image.NewUniform(paper), image.Point{}, draw.Src)
	fill := func(box image.Rectangle, c color.RGBA) {
		draw.Draw(picture, box, image.NewUniform(c), image.Point{}, draw.Src)
	}
	accent := color.RGBA{pick(24, 20, 90), pick(32, 60, 90), pick(40, 100, 90), 255}
	fill(image.Rect(0, 0, width, 44), accent)
	fill(image.Rect(24, 68, 184, 276), color.RGBA{250, 250, 250, 255})
	skin := skins[(seed>>48)%uint64(len(skins))]
	disc(picture, image.Pt(104, 268), 62, 56, 204, accent)
	disc(picture, image.Pt(104, 150), 40, 50, 276, skin)
	disc(picture, image.Pt(104, 118), 42, 26, 130, color.RGBA{pick(52, 20, 80), pick(54, 15, 50), pick(56, 10, 40), 255})
	ink := color.RGBA{90, 95, 105, 255}
	for i := range 6 {
		top := 72 + i*34
		fill(image.Rect(212, top, 212+90+int(chance[i])%150, top+12), ink)
	}
	var out bytes.Buffer
	if err := jpeg.Encode(&out, picture, &jpeg.Options{Quality: 82}); err != nil {
		return nil // a buffer takes everything
	}
	return out.Bytes()
}

// disc fills an ellipse down to a line.
func disc(to *image.RGBA, at image.Point, rx, ry, bottom int, c color.RGBA) {
	for y := at.Y - ry; y <= min(at.Y+ry, bottom); y++ {
		for x := at.X - rx; x <= at.X+rx; x++ {
			dx, dy := float64(x-at.X)/float64(rx), float64(y-at.Y)/float64(ry)
			if dx*dx+dy*dy <= 1 {
				to.SetRGBA(x, y, c)
			}
		}
	}
}
