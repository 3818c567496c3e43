"""The design space as a product: many networks trained, costed on many boards, and what of them nothing else beats."""
