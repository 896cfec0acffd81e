"""`waymark effort`: whether effort scores agree with what customers answer when they are asked."""
