"""Where does a launch stand? Intensity, ridge, side, shares; and the sums over groups of launches."""
