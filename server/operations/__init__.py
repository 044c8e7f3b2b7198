"""The verbs: every rule of the house lives here. The doors translate and call these."""
