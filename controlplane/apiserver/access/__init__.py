"""Who may do what: one pure decision (`decisions.decide`) for requests and reviews, from the rules of roles and those built in."""
