# What the labels of hosts mean here. A package of helpers has any name but `switchback.*`.
package services

faces_customers if input.asset.labels.service == "shop"

name := input.asset.labels.service
