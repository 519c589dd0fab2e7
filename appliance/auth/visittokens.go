package auth

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"

	"schalter/appliance"
)

// VisitRows finds visits by the hash of their token. Unknown ones are NotFound.
type VisitRows interface {
	VisitOf(ctx context.Context, hash []byte) (appliance.VisitID, error)
}

// VisitTokens makes the tokens of visits and finds visits by them.
type VisitTokens struct {
	secret []byte
	rows   VisitRows
}

// NewVisitTokens takes the box's secret (see Secret): with another one, other tokens are made, while those that are
// out are still found.
func NewVisitTokens(secret []byte, rows VisitRows) *VisitTokens {
	return &VisitTokens{secret: secret, rows: rows}
}

// Token derives a visit's token. It is the same each time, so that a repeated arrival is answered alike.
func (v *VisitTokens) Token(id appliance.VisitID) string {
	h := hmac.New(sha256.New, v.secret)
	h.Write([]byte("visit:" + id)) // the word keeps it apart from whatever else the secret may be used for
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

// Hash is what is stored of a token.
func (v *VisitTokens) Hash(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}

// Who finds the visit of a token. An unknown one is Unauthorised.
func (v *VisitTokens) Who(ctx context.Context, token string) (appliance.VisitID, error) {
	hash, ok := hashToken(token)
	if !ok {
		return "", &appliance.Error{Kind: appliance.Unauthorised, Code: "visit-token-unknown"}
	}
	id, err := v.rows.VisitOf(ctx, hash[:])
	if kind(err) == appliance.NotFound {
		return "", &appliance.Error{Kind: appliance.Unauthorised, Code: "visit-token-unknown"}
	}
	return id, err
}
