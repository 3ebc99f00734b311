"""Who decides how deep a frame goes: exits by number, by chance, by score, within limits of time and energy."""
