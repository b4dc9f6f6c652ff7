"""What EM, MAP and VB share: starts, the climb of an objective, moves out of an optimum, the check of its end."""
