"""What each rule costs: measured on a sample of the customers that a worker projects, and added up for lists."""
