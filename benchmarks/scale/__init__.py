"""How a store grows: measured at several sizes, and projected to a billion images."""
