package download

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	maxNameBytes      = 200 // leaves room for a suffix in the 255 of common file systems
	maxExtensionBytes = 32  // a longer one is not an extension
)

// NameOfKey is the last part of the path in an API file key, made safe, or a name
// made from a digest of the key where it is not base64 of text.
func NameOfKey(key string) string {
	if name, ok := keyName(key); ok {
		return SafeName(name)
	}
	return "file-" + digest(key)
}

// UniqueNameOfKey is NameOfKey with a digest of the key before the extension,
// so that no two keys share a name, however a file system compares names: by
// case, by Unicode's normal forms, or by both with rules of its own. It depends
// on nothing but the key: a file keeps its name whatever files come later.
func UniqueNameOfKey(key string) string {
	base, ok := keyName(key)
	if !ok {
		return NameOfKey(key)
	}
	name := SafeName(base)
	extension := path.Ext(name)
	stem := strings.TrimSuffix(name, extension)
	if stem == "" {
		stem = "file"
	}
	return stem + "-" + digest(key) + extension
}

func digest(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:8])
}

// keyName decodes a key, which is base64 of any flavour, to
// flowId/clientId/elementId/name and gives the name.
func keyName(key string) (string, bool) {
	unpadded := strings.TrimRight(strings.TrimSpace(key), "=")
	standard := strings.NewReplacer("-", "+", "_", "/").Replace(unpadded)
	decoded, err := base64.RawStdEncoding.DecodeString(standard)
	if err != nil || len(decoded) == 0 || !utf8.Valid(decoded) {
		return "", false
	}
	text := string(decoded)
	if strings.ContainsFunc(text, unicode.IsControl) || strings.HasSuffix(text, "/") {
		return "", false
	}
	return path.Base(text), true
}

// SafeName makes a file name of a name that is not trusted: its last part,
// fit for every common file system, never empty and never a dot name.
func SafeName(name string) string {
	name = name[strings.LastIndexAny(name, `/\`)+1:]
	name = strings.Map(safeRune, strings.ToValidUTF8(name, "_"))
	name = strings.TrimRight(name, ". ")
	if isDevice(name) {
		name = "_" + name
	}
	name = shorten(name)
	if name == "" {
		return "file"
	}
	return name
}

func safeRune(r rune) rune {
	if strings.ContainsRune(`<>:"/\|?*`, r) || unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) {
		return '_'
	}
	return r
}

// isDevice reports whether Windows takes name for a device. The extension makes no
// difference.
func isDevice(name string) bool {
	stem, _, _ := strings.Cut(name, ".")
	stem = strings.ToUpper(strings.TrimRight(stem, " "))
	switch stem {
	case "CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$":
		return true
	}
	port, ok := strings.CutPrefix(stem, "COM")
	if !ok {
		port, ok = strings.CutPrefix(stem, "LPT")
	}
	return ok && utf8.RuneCountInString(port) == 1 && strings.Contains("0123456789¹²³", port)
}

// shorten cuts the middle of a long name, so that the extension stays.
func shorten(name string) string {
	if len(name) <= maxNameBytes {
		return name
	}
	extension := path.Ext(name)
	if len(extension) > maxExtensionBytes {
		extension = ""
	}
	stem := name[:maxNameBytes-len(extension)]
	for !utf8.ValidString(stem) {
		stem = stem[:len(stem)-1]
	}
	return strings.TrimRight(stem, ". ") + extension
}
