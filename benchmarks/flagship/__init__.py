"""The abandoned cart as shops meet it: how soon a mail leaves, a peak of carts, what a waiting one costs."""
